/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of local users through the netlink decoder, to stand-ins for the rooms that it reads.
 * The first byte is whose request it is: R root's, whose header's length is made right; L root's as
 * it is; anything else somebody's who may not ask. The rest is the netlink message. */
#include "fuzz.h"

#include "../unit/test_control_fake.h"
#include "control/request.h"

#define CLIENT_PORT 12345 /* nobody's: answers are made, and go nowhere */

static struct loop *loop;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	log_set_level(LOG_LEVEL_DEBUG);
	fuzz_be_alone();
	CLAIM(loop_new(&loop) == 0);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct control_handlers handlers = {
		.reload = fake_reload, .stop = fake_stop, .stopping = fake_stopping};
	struct ucred who = {.uid = 65534, .gid = 65534};
	struct control *control;
	struct nlmsghdr *h;

	if (size == 0)
		return 0;
	if (*data == 'R' || *data == 'L')
		who = (struct ucred){0};
	h = malloc(size);
	CLAIM(h);
	memcpy(h, data + 1, size - 1);
	if (*data == 'R' && size > sizeof(*h))
		h->nlmsg_len = (uint32_t)size - 1;
	fake_reset(3);
	CLAIM(control_new(&control, loop, fake_calls, &fake.config, &handlers) == 0);
	request_serve(control, h, size - 1, CLIENT_PORT, &who);
	CLAIM(who.uid == 0 || (fake.hung_up == 0 && fake.stops == 0 && fake.reloads == 0));
	if (fake.reloads)
		fake_reloaded(control);
	control_event(control, 1, "fuzz", "an event for whoever has subscribed");
	control_free(control);
	free(h);
	return 0;
}
