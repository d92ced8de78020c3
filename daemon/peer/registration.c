/* SPDX-License-Identifier: BSD-2-Clause */
/* Our registration with a provider (RFC 3261 10): begun, refreshed, tried again, taken back. */
#include "peer/registration.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/token.h"

#include <utlist.h>

/* A refresh goes out when so much of the time that was granted is over: what is left is for trying
 * again. */
#define REFRESH_MIN_PERCENT 50
#define REFRESH_MAX_PERCENT 60
#define TOO_BRIEF_MAX       3  /* 423 (Interval Too Brief) in a row */
#define START_SPREAD_MS     20 /* the first REGISTERs of many peers do not leave at once */
#define START_SPREAD_MAX_MS 10000
#define ADDRESS_POLL_MS     500
#define BACKOFF_DOUBLINGS   16
#define RETRY_AFTER_MAX_S   3600 /* of a Retry-After that is obeyed */

static void tell(const struct registration *reg, enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void tell(const struct registration *reg, enum log_level level, const char *fmt, ...)
{
	char text[2 * PEER_WHY_MAX];
	struct peers *peers = reg->peers;
	va_list ap;
	int n;

	n = snprintf(text, sizeof(text), "%s: ", reg->config->name);
	va_start(ap, fmt);
	vsnprintf(text + n, sizeof(text) - (size_t)n, fmt, ap);
	va_end(ap);
	log_at(level, "peer %s", text);
	if (peers->event)
		peers->event(peers->event_ctx, "register", text);
}

static void free_registration(struct registration *reg)
{
	struct loop *loop = reg->peers->loop;

	if (reg->client)
		sip_client_abandon(reg->client);
	loop_timer_stop(loop, &reg->timer);
	loop_timer_stop(loop, &reg->expiry);
	if (!reg->peer)
		DL_DELETE(reg->peers->leaving, reg);
	free(reg->contact);
	free(reg->service_route);
	config_unref(reg->cfg);
	free(reg);
}

/* ---- what follows for the peer ---- */

static void set_failed(struct registration *reg)
{
	bool was = reg->state == REGISTRATION_FAILED;

	reg->until_ms = 0;
	reg->state = REGISTRATION_FAILED;
	if (!was)
		tell(reg, LOG_LEVEL_WARN, "not registered: %s", reg->why);
	if (reg->config->registration->required)
		fact_set(reg->peer, FACT_UNREGISTERED, "not registered: %s", reg->why);
}

static void expired(struct loop_timer *t)
{
	struct registration *reg =
		(struct registration *)((char *)t - offsetof(struct registration, expiry));

	set_failed(reg);
}

/* RFC 5626 4.5: doubled with each failure, half of it by chance; not less than the registrar
 * asked for. */
static void wait_after_failure(struct registration *reg, unsigned retry_after_s)
{
	const struct register_config *config = reg->config->registration;
	unsigned doublings = reg->failures < BACKOFF_DOUBLINGS ? reg->failures : BACKOFF_DOUBLINGS;
	uint64_t wait_ms = (uint64_t)config->retry_s * 1000 << doublings;
	uint64_t max_ms = (uint64_t)config->retry_max_s * 1000;

	if (wait_ms > max_ms)
		wait_ms = max_ms;
	wait_ms = wait_ms / 2 + token_random64() % (wait_ms / 2 + 1);
	if (retry_after_s > RETRY_AFTER_MAX_S)
		retry_after_s = RETRY_AFTER_MAX_S;
	if (wait_ms < (uint64_t)retry_after_s * 1000)
		wait_ms = (uint64_t)retry_after_s * 1000;
	reg->failures++;
	reg->target = 0;
	loop_timer_start(reg->peers->loop, &reg->timer, wait_ms);
}

/* The present try is over without a registration. One that holds holds on. */
static void failed(struct registration *reg, unsigned retry_after_s, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void failed(struct registration *reg, unsigned retry_after_s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reg->why, sizeof(reg->why), fmt, ap);
	va_end(ap);
	if (!reg->peer) {
		free_registration(reg);
		return;
	}
	if (!reg->until_ms)
		set_failed(reg);
	else if (!reg->failures)
		tell(reg, LOG_LEVEL_WARN, "the registration that holds cannot be refreshed: %s",
			reg->why);
	wait_after_failure(reg, retry_after_s);
}

/* An address that others see and we do not write is for the operator to judge: nothing of ours
 * follows it, since an answer that nobody has proven must not say where calls and media go. */
static void learn(struct registration *reg, const osip_message_t *resp)
{
	struct addr before = reg->public_address;
	char text[ADDR_TEXT_MAX];

	registration_learn(reg, resp);
	if (addr_equal(&before, &reg->public_address) || !registration_is_seen_elsewhere(reg))
		return;
	tell(reg, LOG_LEVEL_WARN,
		"its registrar sees us at %s, our Contact is %s: sides.advertise may be wrong",
		addr_print(&reg->public_address, text), reg->contact);
}

/* A time of its own for each of many. */
static uint64_t spread_ms(const struct registration *reg)
{
	uint64_t most = (uint64_t)reg->cfg->peer_count * START_SPREAD_MS;

	if (most > START_SPREAD_MAX_MS)
		most = START_SPREAD_MAX_MS;
	return token_random64() % (most + 1);
}

static void registered(struct registration *reg, osip_message_t *resp, unsigned granted_s)
{
	bool is_new = !reg->until_ms;
	uint64_t granted_ms = (uint64_t)granted_s * 1000;
	unsigned percent =
		REFRESH_MIN_PERCENT +
		(unsigned)(token_random64() % (REFRESH_MAX_PERCENT - REFRESH_MIN_PERCENT + 1));

	learn(reg, resp);
	reg->state = REGISTRATION_DONE;
	reg->failures = reg->too_brief = 0;
	reg->until_ms = loop_now_ms(reg->peers->loop) + granted_ms;
	snprintf(reg->why, sizeof(reg->why), "registered for %u s", granted_s);
	loop_timer_start(reg->peers->loop, &reg->timer,
		reg->is_doubtful ? spread_ms(reg) : granted_ms * percent / 100);
	loop_timer_start(reg->peers->loop, &reg->expiry, granted_ms);
	if (is_new)
		tell(reg, LOG_LEVEL_INFO, "%s as %s", reg->why, reg->contact);
	fact_clear(reg->peer, FACT_UNREGISTERED, "registered");
}

/* ---- requests ---- */

static int send_register(struct registration *reg, unsigned expires_s);

/* Its name does not resolve, or not yet: that is asked for elsewhere. */
static void wait_for_address(struct registration *reg)
{
	reg->target = 0;
	snprintf(reg->why, sizeof(reg->why), "its address is not known");
	if (reg->config->registration->required && !reg->until_ms)
		fact_set(reg->peer, FACT_UNREGISTERED, "not registered: %s", reg->why);
	loop_timer_start(reg->peers->loop, &reg->timer, ADDRESS_POLL_MS);
}

static void try_now(struct registration *reg)
{
	struct sip_dest dest[PEER_TARGETS_MAX];
	unsigned count = peer_targets(reg->peer, dest);
	int ret = -EHOSTUNREACH;

	reg->is_doubtful = false;
	for (; reg->target < count; reg->target++) {
		reg->dest = dest[reg->target];
		ret = send_register(reg, reg->expires_s);
		if (ret == 0)
			return;
	}
	if (count)
		failed(reg, 0, "%s", strerror(-ret));
	else
		wait_for_address(reg);
}

static void next_place(struct registration *reg, const char *why)
{
	struct sip_dest dest[PEER_TARGETS_MAX];

	if (reg->peer && ++reg->target < peer_targets(reg->peer, dest))
		try_now(reg);
	else
		failed(reg, 0, "%s", why);
}

static void timer_fired(struct loop_timer *t)
{
	struct registration *reg =
		(struct registration *)((char *)t - offsetof(struct registration, timer));

	if (!reg->client)
		try_now(reg);
}

/* RFC 3261 10.2.8: asked for too little. True where it is asked for again. */
static bool ask_for_more(struct registration *reg, const osip_message_t *resp)
{
	unsigned least = registration_seconds(resp, "Min-Expires", 0);

	if (least <= reg->expires_s || ++reg->too_brief > TOO_BRIEF_MAX)
		return false;
	reg->expires_s = least;
	return send_register(reg, least) == 0;
}

static void response_received(void *owner, struct sip_client *txn, osip_message_t *resp)
{
	struct registration *reg = owner;
	int code = resp->status_code;
	unsigned granted;

	if (code < 200)
		return;
	sip_client_abandon(txn);
	reg->client = NULL;
	if (!reg->peer) {
		free_registration(reg);
	} else if (code < 300) {
		granted = registration_granted(reg, resp);
		if (!granted)
			failed(reg, 0, "%d, but our contact is not among those registered", code);
		else if (granted < reg->config->registration->expires_min_s)
			failed(reg, 0, "%d, but for %u s alone, less than min_expires", code,
				granted);
		else
			registered(reg, resp, granted);
	} else if (code == SIP_INTERVAL_TOO_BRIEF && ask_for_more(reg, resp)) {
		return;
	} else if (code == SIP_UNAUTHORIZED || code == SIP_PROXY_AUTHENTICATION_REQUIRED) {
		failed(reg, 0, "%d, %s", code,
			reg->config->auth ? "our credentials are refused"
					  : "no credentials (auth)");
	} else if (code == SIP_REQUEST_TIME_OUT || code == SIP_SERVICE_UNAVAILABLE) {
		unsigned retry_after = registration_seconds(resp, "Retry-After", 0);

		/* RFC 3263 4.3: 503 without a time means this place alone. */
		if (retry_after)
			failed(reg, retry_after, "%d, again in %u s", code, retry_after);
		else
			next_place(reg, code == SIP_REQUEST_TIME_OUT ? "408" : "503");
	} else {
		failed(reg, registration_seconds(resp, "Retry-After", 0), "%d", code);
	}
}

static void request_failed(void *owner, struct sip_client *txn, int error)
{
	struct registration *reg = owner;

	sip_client_abandon(txn);
	reg->client = NULL;
	next_place(reg, error == -ETIMEDOUT ? "no answer" : strerror(-error));
}

static uint32_t challenged(void *owner, struct sip_client *txn)
{
	struct registration *reg = owner;

	(void)txn;
	return ++reg->cseq;
}

static void client_gone(void *owner, struct sip_client *txn)
{
	struct registration *reg = owner;

	(void)txn;
	reg->client = NULL;
}

static const struct sip_client_handlers handlers = {.challenged = challenged,
	.response = response_received,
	.failed = request_failed,
	.gone = client_gone};

static int send_register(struct registration *reg, unsigned expires_s)
{
	osip_message_t *msg = NULL;
	int ret = registration_make(reg, expires_s, &msg);

	if (ret)
		return ret;
	return sip_client_send(reg->peers->sip, &reg->dest, msg, reg, &handlers, &reg->client);
}

/* ---- as the configuration wants it ---- */

/* Taken back, where the registrar may know of it; otherwise forgotten. reg is freed now or with the
 * answer. */
static void leave(struct registration *reg)
{
	struct peer *peer = reg->peer;
	bool is_known = reg->until_ms || reg->client;

	loop_timer_stop(reg->peers->loop, &reg->timer);
	loop_timer_stop(reg->peers->loop, &reg->expiry);
	if (reg->client)
		sip_client_abandon(reg->client);
	reg->client = NULL;
	peer->registration = NULL;
	reg->peer = NULL;
	DL_APPEND(reg->peers->leaving, reg);
	if (!is_known || send_register(reg, 0))
		free_registration(reg);
}

static struct registration *registration_new(struct peer *peer)
{
	struct registration *reg = calloc(1, sizeof(*reg));

	if (!reg)
		return NULL;
	reg->peers = peer->peers;
	reg->peer = peer;
	reg->timer.fire = timer_fired;
	reg->expiry.fire = expired;
	token_make(reg->call_id, REGISTRATION_CALL_ID_LEN);
	token_make(reg->tag, REGISTRATION_TAG_LEN);
	snprintf(reg->why, sizeof(reg->why), "not answered yet");
	return reg;
}

static bool same_binding(const struct peer_config *a, const struct peer_config *b)
{
	const struct register_config *x = a->registration, *y = b->registration;

	return strcmp(x->aor, y->aor) == 0 && strcmp(x->registrar, y->registrar) == 0 &&
	       strcmp(x->contact, y->contact) == 0 && a->side == b->side &&
	       a->transport == b->transport;
}

/* Whether requests no longer reach us by what was registered: its listener is another one. */
static bool is_elsewhere(struct registration *reg)
{
	struct sip_dest dest[PEER_TARGETS_MAX];
	const char *host = reg->contact ? strchr(reg->contact, '@') : NULL;

	return host && peer_targets(reg->peer, dest) &&
	       strcmp(host + 1, sip_listener_contact(reg->peers->sip, dest[0].listener)) != 0;
}

static void take_config(
	struct registration *reg, struct config *cfg, const struct peer_config *config)
{
	struct config *before = reg->cfg;

	if (reg->config && !auth_config_equal(reg->config->auth, config->auth))
		reg->is_doubtful = true;
	reg->cfg = config_ref(cfg);
	reg->config = config;
	config_unref(before);
	reg->expires_s = config->registration->expires_s;
	reg->failures = reg->too_brief = reg->target = 0;
}

void registration_update(struct peer *peer, struct config *cfg)
{
	const struct peer_config *config = cfg ? config_peer_by_name(cfg, peer->name) : NULL;
	struct registration *reg = peer->registration;

	if (config && !config->registration)
		config = NULL;
	if (reg && (!config || !same_binding(reg->config, config))) {
		leave(reg);
		reg = NULL;
	}
	if (cfg && (!config || !config->registration->required))
		fact_clear(peer, FACT_UNREGISTERED, "needs no registration");
	if (!config)
		return;
	if (!reg)
		reg = peer->registration = registration_new(peer);
	if (!reg) {
		fact_set(peer, FACT_UNREGISTERED, "out of memory for its registration");
		return;
	}
	take_config(reg, cfg, config);
	if (config->registration->required && !reg->until_ms)
		fact_set(peer, FACT_UNREGISTERED, "not registered: %s", reg->why);
	/* One that holds is refreshed in its time, unless we are reached elsewhere now or have
	 * other credentials, which may be wrong; one that does not may be made now. */
	if (!reg->client && (!reg->until_ms || reg->is_doubtful || is_elsewhere(reg)))
		loop_timer_start(peer->peers->loop, &reg->timer, spread_ms(reg));
}

void registrations_free(struct peers *peers)
{
	while (peers->leaving)
		free_registration(peers->leaving);
}

void peers_shutdown(struct peers *peers)
{
	struct peer *peer;

	peers->shutting_down = true;
	for (peer = peers->by_name; peer; peer = peer->hh.next) {
		if (peer->registration)
			leave(peer->registration);
	}
}

unsigned peers_leaving(const struct peers *peers)
{
	const struct registration *reg;
	unsigned count = 0;

	DL_FOREACH (peers->leaving, reg)
		count++;
	return count;
}

bool peer_get_registration(const struct peer *peer, struct peer_registration *out)
{
	static const char *const names[] = {[REGISTRATION_TRYING] = "trying",
		[REGISTRATION_DONE] = "registered",
		[REGISTRATION_FAILED] = "failed"};
	const struct registration *reg = peer->registration;
	uint64_t now = loop_now_ms(peer->peers->loop);

	if (!reg)
		return false;
	*out = (struct peer_registration){.state = names[reg->state],
		.left_ms = reg->until_ms > now ? reg->until_ms - now : 0,
		.why = reg->why,
		.aor = reg->config->registration->aor,
		.public_address = reg->public_address};
	return true;
}
