/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections on which nothing is under way: those that we opened are pinged (RFC 5626 3.5.1,
 * 4.4.1), and all are closed when no message has passed for long. */
#include "sip/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/log.h"

static void start(struct connection *c, uint64_t delay_ms)
{
	if (loop_timer_start(c->sip->loop, &c->timer, delay_ms))
		log_limited(LOG_LEVEL_WARN, "sip: out of memory for a connection's timer");
}

void keepalive_idle(struct connection *c)
{
	uint64_t every_ms = (uint64_t)c->sip->cfg->keepalive_s * 1000;

	start(c, c->is_ours && every_ms && every_ms < TCP_IDLE_MS ? every_ms : TCP_IDLE_MS);
}

static void ping(struct connection *c)
{
	unsigned pong_ms = c->sip->cfg->pong_s * 1000;

	/* A peer that has never answered a ping may not know them. But its kernel acknowledges
	 * what we send, or there is no way to it. */
	(void)setsockopt(c->lf.fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &pong_ms, sizeof(pong_ms));
	c->is_pinged = true;
	c->sip->status.pings++;
	start(c, pong_ms);
	/* One that is broken is closed by the loop. */
	(void)tcp_write(c, "\r\n\r\n", 4);
}

void keepalive_timeout(struct connection *c)
{
	struct sip *sip = c->sip;
	bool idle = loop_now_ms(sip->loop) - c->message_ms >= TCP_IDLE_MS;

	if (c->is_pinged && c->has_ponged) {
		sip->status.pongs_missed++;
		tcp_close(c, -ETIMEDOUT);
	} else if (c->is_pinged) {
		c->is_pinged = false;
		keepalive_idle(c);
	} else if (c->is_ours && sip->cfg->keepalive_s && !idle) {
		ping(c);
	} else {
		sip->status.tcp_dropped++;
		tcp_close(c, 0);
	}
}

void keepalive_heard(struct connection *c, bool is_pong)
{
	if (!c->is_pinged)
		return;
	c->is_pinged = false;
	c->has_ponged |= is_pong;
}
