/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/conform.h"
#include "config/document.h"
#include "config/resolve.h"

#define FILE_MAX_BYTES    (4u * 1024 * 1024)
#define CYAML_PROBLEM_MAX 256

/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
static int read_file(const char *file, uint8_t **data, size_t *len, struct mistakes *m)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char why[MISTAKE_QUOTE_MAX];
	uint8_t *buf = NULL;
	struct stat st;
	ssize_t n = 0;
	int ret = 0;

	*len = 0;
	if (fd < 0 || fstat(fd, &st) < 0) {
		ret = -errno;
		goto out;
	}
	if (!S_ISREG(st.st_mode)) {
		mistake_add(m, "file", "is not a regular file; expected a YAML file");
		ret = -EINVAL;
		goto out;
	}
	if (st.st_size > (off_t)FILE_MAX_BYTES) {
		mistake_add(m, "file", "%lld bytes long; expected at most %u",
			(long long)st.st_size, FILE_MAX_BYTES);
		ret = -EINVAL;
		goto out;
	}
	buf = malloc((size_t)st.st_size + 1);
	if (!buf) {
		ret = -ENOMEM;
		goto out;
	}
	while (*len < (size_t)st.st_size &&
		(n = read(fd, buf + *len, (size_t)st.st_size - *len)) > 0)
		*len += (size_t)n;
	if (n < 0)
		ret = -errno;
out:
	if (ret && ret != -EINVAL && ret != -ENOMEM)
		mistake_add(m, "file", "cannot be read (%s); expected a readable YAML file",
			mistake_errno(why, -ret));
	if (fd >= 0)
		close(fd);
	if (ret)
		free(buf);
	else
		*data = buf;
	return ret;
}

/* Keeps libcyaml's first complaint: a refusal that conform_check did not foresee. */
static void keep_problem(cyaml_log_t level, void *ctx, const char *fmt, va_list args)
{
	char *problem = ctx;

	(void)level;
	if (!problem[0])
		vsnprintf(problem, CYAML_PROBLEM_MAX, fmt, args);
	problem[strcspn(problem, "\n")] = '\0';
}

static int load_values(struct file_config **out, const cyaml_config_t *yaml, const uint8_t *data,
	size_t len, struct mistakes *m)
{
	const char *problem = yaml->log_ctx;
	cyaml_err_t err;

	err = cyaml_load_data(data, len, yaml, &config_schema, (cyaml_data_t **)out, NULL);
	if (err == CYAML_OK)
		return 0;
	/* libyaml has parsed the same bytes before: what it lacks now is memory. */
	if (err == CYAML_ERR_OOM || err == CYAML_ERR_LIBYAML_PARSER ||
		err == CYAML_ERR_LIBYAML_PARSER_INIT)
		return -ENOMEM;
	mistake_add(m, "file", "%s (%s); expected the keys of viaduct.yaml(5)",
		problem[0] ? problem : "cannot be loaded", cyaml_strerror(err));
	return -EINVAL;
}

static int resolve_all(struct resolve *r)
{
	int ret;

	ret = resolve_sides(r);
	if (!ret)
		ret = resolve_rule_sets(r);
	if (!ret)
		ret = resolve_tls(r);
	if (!ret)
		ret = resolve_listeners(r);
	if (!ret)
		ret = resolve_peers(r);
	if (!ret)
		ret = resolve_groups(r);
	if (!ret)
		ret = resolve_times(r);
	if (!ret)
		ret = resolve_routes(r);
	if (!ret)
		ret = resolve_dns(r);
	if (!ret)
		ret = resolve_settings(r);
	return ret;
}

static int load(struct config *cfg, struct mistakes *m)
{
	char problem[CYAML_PROBLEM_MAX] = "";
	const cyaml_config_t yaml = {
		.log_fn = keep_problem,
		.log_ctx = problem,
		.mem_fn = cyaml_mem,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	struct resolve r = {.cfg = cfg, .mistakes = m};
	struct file_config *values = NULL;
	struct node *root = NULL;
	uint8_t *data = NULL;
	size_t len;
	int ret;

	ret = read_file(cfg->file, &data, &len, m);
	if (ret)
		goto out;
	ret = document_parse(&root, data, len, m);
	if (ret)
		goto out;
	m->root = root;
	conform_check(root, &config_schema, m);
	if (m->count)
		goto out;
	ret = load_values(&values, &yaml, data, len, m);
	if (ret)
		goto out;
	r.file = values;
	ret = resolve_all(&r);
out:
	if (!ret && m->count)
		ret = -EINVAL;
	if (m->error)
		ret = m->error;
	cyaml_free(&yaml, &config_schema, values, 0);
	m->root = NULL;
	document_free(root);
	free(data);
	return ret;
}

int config_load(struct config **out, const char *file, FILE *errors)
{
	struct config *cfg = calloc(1, sizeof(*cfg));
	struct mistakes *m = NULL;
	int ret = -ENOMEM;

	if (!cfg)
		goto out;
	cfg->refs = 1;
	m = calloc(1, sizeof(*m));
	if (!m)
		goto out;
	m->file = file;
	cfg->file = strdup(file);
	if (!cfg->file)
		goto out;
	ret = load(cfg, m);
	mistakes_print(m, errors);
out:
	if (ret == -ENOMEM)
		fprintf(errors, "%s:1: file: out of memory; expected more\n", file);
	if (m)
		mistakes_free(m);
	free(m);
	if (ret)
		config_unref(cfg);
	else
		*out = cfg;
	return ret;
}
