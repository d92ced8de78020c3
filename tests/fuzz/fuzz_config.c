/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration file of any bytes: taken without a word, or refused with a line for each mistake.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", MFD_CLOEXEC), ret;
	struct config *cfg = NULL;
	char path[64], *said = NULL;
	size_t said_len = 0;
	FILE *errors = open_memstream(&said, &said_len);

	CLAIM(fd >= 0 && errors);
	CLAIM(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ret = config_load(&cfg, path, errors);
	fclose(errors);
	close(fd);
	if (ret == 0) {
		CLAIM(cfg && said_len == 0);
		config_unref(cfg);
	} else {
		CLAIM(strncmp(said, path, strlen(path)) == 0);
	}
	free(said);
	return 0;
}
