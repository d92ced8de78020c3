/* SPDX-License-Identifier: BSD-2-Clause */
#include "control/request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

static const struct nla_policy policy[VDC_REQUEST_FIELDS_END] = {
	[VDC_REQUEST_VERSION] = {.type = NLA_U32, .maxlen = sizeof(uint32_t)},
	[VDC_REQUEST_CURSOR] = {.type = NLA_U64, .maxlen = sizeof(uint64_t)},
	[VDC_REQUEST_GENERATION] = {.type = NLA_U32, .maxlen = sizeof(uint32_t)},
	[VDC_REQUEST_CALL] = {.type = NLA_U64, .maxlen = sizeof(uint64_t)},
	[VDC_REQUEST_FROM] = {.type = NLA_STRING, .maxlen = VDC_TEXT_MAX},
	[VDC_REQUEST_NUMBER] = {.type = NLA_STRING, .maxlen = VDC_TEXT_MAX},
	[VDC_REQUEST_CALLING] = {.type = NLA_STRING, .maxlen = VDC_TEXT_MAX},
	[VDC_REQUEST_AT] = {.type = NLA_U64, .maxlen = sizeof(uint64_t)},
	[VDC_REQUEST_LEVEL] = {.type = NLA_STRING, .maxlen = VDC_TEXT_MAX},
	[VDC_REQUEST_PEER] = {.type = NLA_STRING, .maxlen = VDC_TEXT_MAX},
	[VDC_REQUEST_COMMAND] = {.type = NLA_STRING, .maxlen = VDC_TEXT_MAX},
};

int request_fail(struct request *r, int error, const char *fmt, ...)
{
	va_list ap;

	free(r->text);
	va_start(ap, fmt);
	if (vasprintf(&r->text, fmt, ap) < 0)
		r->text = NULL;
	va_end(ap);
	return error;
}

struct call *request_call(struct request *r, int *error)
{
	uint64_t id = nla_get_u64(r->attr[VDC_REQUEST_CALL]);
	struct call *call = call_by_id(r->control->calls, id);

	if (!call)
		*error = request_fail(r, -ENOENT, "no live call %" PRIu64, id);
	return call;
}

static int hangup(struct request *r)
{
	int ret = 0;
	struct call *call = request_call(r, &ret);

	if (call)
		call_hangup(call, "ended by the operator");
	return ret;
}

static int subscribe(struct request *r)
{
	uint64_t id = 0;
	int ret = 0;

	if (r->attr[VDC_REQUEST_CALL]) {
		id = nla_get_u64(r->attr[VDC_REQUEST_CALL]);
		if (!request_call(r, &ret))
			return ret;
	}
	ret = subscribers_add(&r->control->subscribers, r->port, r->uid, id);
	if (ret == -EBUSY)
		return request_fail(
			r, ret, "%d clients follow the events already", VDC_SUBSCRIBERS_MAX);
	return ret;
}

static int renew(struct request *r)
{
	int ret = subscribers_renew(&r->control->subscribers, r->port, r->uid);

	if (ret)
		return request_fail(r, ret, "the subscription has ended: too slow, or too late");
	return 0;
}

static int unsubscribe(struct request *r)
{
	subscribers_remove(&r->control->subscribers, r->port);
	return 0;
}

static int reload(struct request *r)
{
	struct control *control = r->control;
	uint64_t number = 0;
	int ret;

	if (!control->handlers.reload)
		return -EOPNOTSUPP;
	if (waiting_is_full(&control->waiting))
		return request_fail(
			r, -EBUSY, "%d clients wait for a reload already", VDC_RELOADS_MAX);
	ret = control->handlers.reload(control->handlers.ctx, &number);
	if (ret)
		return ret;
	waiting_add(&control->waiting, r->header, r->port, number);
	r->is_answered_later = true;
	return 0;
}

static int set_log(struct request *r)
{
	const char *name = nla_get_string(r->attr[VDC_REQUEST_LEVEL]);
	enum log_level level;

	if (log_level_parse(&level, name))
		return request_fail(r, -EINVAL,
			"%s is no log level; expected error, warn, info or debug", name);
	log_set_level(level);
	return 0;
}

static const char *const stop_mode_names[] = {
	[STOP_NOW] = "now", [STOP_DRAIN] = "drain", [STOP_LEAVE] = "leave"};
#define STOP_MODES (sizeof(stop_mode_names) / sizeof(stop_mode_names[0]))

const char *stop_mode_name(enum stop_mode mode)
{
	return stop_mode_names[mode];
}

static int stop(struct request *r)
{
	const struct nlattr *command = r->attr[VDC_REQUEST_COMMAND];
	const char *name = command ? nla_get_string(command) : stop_mode_names[STOP_NOW];
	unsigned mode = 0;
	int ret;

	while (mode < STOP_MODES && strcmp(name, stop_mode_names[mode]) != 0)
		mode++;
	if (mode == STOP_MODES)
		return request_fail(
			r, -EINVAL, "%s is no way to stop; expected now, drain or leave", name);
	if (!r->control->handlers.stop)
		return -EOPNOTSUPP;
	log_info("control: told to stop (%s) by uid %u", name, r->uid);
	ret = r->control->handlers.stop(r->control->handlers.ctx, (enum stop_mode)mode);
	if (ret)
		return request_fail(r, ret, "cannot stop that way (%s): %s", name, strerror(-ret));
	return 0;
}

#define NEEDS(field) (1u << VDC_REQUEST_##field)

static const struct {
	request_fn *serve;
	uint32_t needs; /* attributes that must be there besides VERSION */
} kinds[VDC_REQUEST_END - NLMSG_MIN_TYPE] = {
#define KIND(name) [VDC_##name - NLMSG_MIN_TYPE]
	KIND(GET_STATUS) = {show_status, 0},
	KIND(GET_CALLS) = {show_calls, 0},
	KIND(GET_CALL) = {show_call, NEEDS(CALL)},
	KIND(GET_FLOWS) = {show_flows, 0},
	KIND(GET_PEERS) = {show_peers, 0},
	KIND(SET_PEER) = {set_peer, NEEDS(PEER) | NEEDS(COMMAND)},
	KIND(GET_LISTENERS) = {show_listeners, 0},
	KIND(GET_ROUTES) = {show_routes, 0},
	KIND(TEST_ROUTE) = {test_route, NEEDS(FROM) | NEEDS(NUMBER)},
	KIND(HANGUP) = {hangup, NEEDS(CALL)},
	KIND(SUBSCRIBE) = {subscribe, 0},
	KIND(RENEW) = {renew, 0},
	KIND(UNSUBSCRIBE) = {unsubscribe, 0},
	KIND(RELOAD) = {reload, 0},
	KIND(SET_LOG) = {set_log, NEEDS(LEVEL)},
	KIND(STOP) = {stop, 0},
	KIND(GET_PEER) = {show_peer, NEEDS(PEER)},
#undef KIND
};

/* nla_parse overlooks what it does not know and bytes behind the last attribute; a request must
 * not mean less than its sender thinks. */
static bool has_stray_attributes(const struct nlmsghdr *h)
{
	struct nlattr *nla;
	int left;

	nlmsg_for_each_attr(nla, (struct nlmsghdr *)h, 0, left)
	{
		if (nla_type(nla) == 0 || nla_type(nla) >= VDC_REQUEST_FIELDS_END)
			return true;
	}
	return left > 0;
}

static int parse(struct request *r, struct nlmsghdr *h)
{
	uint32_t version;

	if (nlmsg_parse(h, 0, r->attr, VDC_REQUEST_FIELDS_END - 1, policy) < 0 ||
		has_stray_attributes(h))
		return request_fail(r, -EINVAL, "malformed attributes");
	if (!r->attr[VDC_REQUEST_VERSION])
		return request_fail(r, -EINVAL, "no version attribute");
	version = nla_get_u32(r->attr[VDC_REQUEST_VERSION]);
	if (version != VDC_VERSION)
		return request_fail(r, -EPROTO,
			"control protocol version %u is asked for, viaductd %s has version %u",
			version, VIADUCT_VERSION, VDC_VERSION);
	if (r->attr[VDC_REQUEST_CURSOR])
		r->cursor = nla_get_u64(r->attr[VDC_REQUEST_CURSOR]);
	return 0;
}

static int serve(struct request *r, struct nlmsghdr *h)
{
	unsigned kind = (unsigned)h->nlmsg_type - NLMSG_MIN_TYPE;
	int ret = parse(r, h);

	if (ret)
		return ret;
	r->header = h;
	if (h->nlmsg_type < NLMSG_MIN_TYPE || kind >= sizeof(kinds) / sizeof(kinds[0]))
		return request_fail(r, -EOPNOTSUPP, "viaductd %s does not know request 0x%x",
			VIADUCT_VERSION, h->nlmsg_type);
	for (unsigned i = 1; i < VDC_REQUEST_FIELDS_END; i++) {
		if ((kinds[kind].needs & (1u << i)) && !r->attr[i])
			return request_fail(r, -EINVAL, "attribute %u is missing", i);
	}
	return kinds[kind].serve(r);
}

static int permit(struct request *r, const struct ucred *who)
{
	struct control *control = r->control;

	if (who && access_allows(&control->access, who))
		return 0;
	control->refused++;
	log_limited(
		LOG_LEVEL_WARN, "control: refused a request of uid %d", who ? (int)who->uid : -1);
	/* A port id that changed hands. */
	subscribers_remove(&control->subscribers, r->port);
	if (!who)
		return request_fail(r, -EPERM, "no credentials");
	if (!control->access.has_group && getuid() == 0)
		return request_fail(
			r, -EPERM, "uid %u may not control viaductd: root may", who->uid);
	if (!control->access.has_group)
		return request_fail(r, -EPERM,
			"uid %u may not control viaductd: root and uid %u may", who->uid, getuid());
	return request_fail(r, -EPERM,
		"uid %u may not control viaductd: root, uid %u and members of group %s may",
		who->uid, getuid(), control->access.group_name);
}

void request_serve(struct control *control, const void *data, size_t len, uint32_t port,
	const struct ucred *who)
{
	struct nlmsghdr *h = (struct nlmsghdr *)data;
	struct answer *a = &control->answer;
	struct request r = {
		.control = control,
		.answer = a,
		.port = port,
		.uid = who ? who->uid : (uid_t)-1,
	};
	int ret;

	/* Nothing to answer to. */
	if (len < NLMSG_HDRLEN || port == 0)
		return;
	answer_begin(a, control->fd.fd, port, h->nlmsg_seq);
	ret = permit(&r, who);
	if (ret == 0 && (h->nlmsg_len < NLMSG_HDRLEN || NLMSG_ALIGN(h->nlmsg_len) < len ||
				h->nlmsg_len > len))
		ret = request_fail(&r, -EINVAL, "not one netlink message");
	if (ret == 0)
		ret = serve(&r, h);
	if (r.is_answered_later)
		return;
	if (ret == 0 && r.has_objects)
		answer_done(a, r.has_more ? &r.next_cursor : NULL, control->generation);
	else
		answer_error(a, ret, h, r.text ? r.text : ret ? strerror(-ret) : NULL);
	ret = answer_send(a);
	if (ret)
		log_debug("control: no answer to port 0x%08x: %s", port, strerror(-ret));
	free(r.text);
}
