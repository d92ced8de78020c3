/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/events.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "dataplane/flow_encode.h"

#define EVENTS_A_ROUND 256 /* then the loop's other descriptors have their turn */

struct events {
	struct loop *loop;
	struct loop_fd fd;
	struct ring_buffer *ring;
	const struct flow_table *flows;
	struct dataplane_handlers handlers;
	unsigned left; /* of this round */
};

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

void events_deliver(const struct flow_table *flows, const struct dataplane_handlers *handlers,
	const struct vd_event *event, size_t size)
{
	dataplane_flow_id id;
	struct addr source;
	bool first;

	if (size < sizeof(*event) || event->len > size - sizeof(*event))
		return;
	id = flow_table_by_stream(flows, event->stream, event->cookie, &first);
	if (!id)
		return;
	flow_unmap_address(&source, event->addr, ntohs(event->port_be));
	switch (event->type) {
	case VD_EVENT_FIRST_PACKET:
		/* A latch that opened anew counts on a new stream; the flow had its first packet.
		 */
		if (handlers->first_packet && first)
			handlers->first_packet(handlers->ctx, event->cookie, &source);
		break;
	case VD_EVENT_LATCHED:
		if (handlers->latched)
			handlers->latched(handlers->ctx, event->cookie, &source);
		break;
	case VD_EVENT_REFUSED:
		if (handlers->refused)
			handlers->refused(handlers->ctx, event->cookie, &source);
		break;
	case VD_EVENT_SSRC:
		if (handlers->ssrc_changed)
			handlers->ssrc_changed(handlers->ctx, event->cookie, event->value);
		break;
	case VD_EVENT_DTMF_END:
		if (handlers->dtmf)
			handlers->dtmf(handlers->ctx, event->cookie, (uint8_t)event->value,
				(uint16_t)(event->value >> 16));
		break;
	case VD_EVENT_RTCP:
		if (handlers->rtcp && event->len)
			handlers->rtcp(handlers->ctx, event->cookie, event->data, event->len,
				event->time_ns);
		break;
	case VD_EVENT_SOURCE_MAC:
		flow_table_came_from(flows, id, &source, event->value, event->before != 0);
		break;
	default:
		break;
	}
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct events *ev = ctx;

	events_deliver(ev->flows, &ev->handlers, data, size);
	/* A negative answer ends ring_buffer__consume() after this record; the descriptor stays
	 * ready for what is left. */
	return --ev->left ? 0 : -EAGAIN;
}

static void events_ready(struct loop_fd *lf, uint32_t epoll_events)
{
	struct events *ev = container_of(lf, struct events, fd);

	(void)epoll_events;
	ev->left = EVENTS_A_ROUND;
	ring_buffer__consume(ev->ring);
}

int events_open(struct events **out, struct loop *loop, int map_fd, const struct flow_table *flows,
	const struct dataplane_handlers *handlers)
{
	struct events *ev = calloc(1, sizeof(*ev));
	int ret;

	if (!ev)
		return -ENOMEM;
	ev->loop = loop;
	ev->flows = flows;
	ev->handlers = *handlers;
	ev->ring = ring_buffer__new(map_fd, on_record, ev, NULL);
	if (!ev->ring) {
		ret = -errno;
		goto fail;
	}
	ev->fd.fd = ring_buffer__epoll_fd(ev->ring);
	ev->fd.ready = events_ready;
	ret = loop_fd_add(loop, &ev->fd, EPOLLIN);
	if (ret)
		goto fail;
	*out = ev;
	return 0;
fail:
	ring_buffer__free(ev->ring);
	free(ev);
	return ret;
}

void events_close(struct events *ev)
{
	if (!ev)
		return;
	loop_fd_remove(ev->loop, &ev->fd);
	ring_buffer__free(ev->ring);
	free(ev);
}
