/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this room share. Nobody else includes it, but for its own tests. */
#ifndef VIADUCT_SIP_INTERNAL_H
#define VIADUCT_SIP_INTERNAL_H

#include "sip/sip.h"

#include "base/table.h"
#include "sip/framing.h"
#include "sip/guard.h"
#include "sip/known.h"
#include "sip/lately.h"
#include "sip/overload.h"

/* ---- limits ---- */
#define SLOTS_MAX                  (2 * CONFIG_LISTENERS_MAX) /* so that a reload finds free ones */
#define RETIRED_MAX                8  /* older configurations that live calls began with */
#define UDP_BATCH                  64 /* datagrams a system call; then the loop has its turn */
#define UDP_BUFFER_BYTES           (16 * 1024 * 1024) /* asked of the kernel, each way */
#define UDP_REQUEST_MAX            1300               /* RFC 3261 18.1.1, path MTU unknown */
#define TCP_QUEUE_MAX              (512 * 1024)       /* unsent bytes of a connection */
#define TCP_CONNECTIONS_PER_SOURCE 256                /* by IP address */
#define TCP_BACKLOG                512
#define TCP_ACCEPTS_A_ROUND        64
#define TCP_IDLE_MS                (15 * 60 * 1000)
#define TCP_CONNECT_MS             2000
#define BACKOFF_FIRST_MS           500  /* after the second failure to connect, then doubled */
#define TARGETS_MAX                4096 /* places whose failures and TLS sessions are remembered */
#define TLS_SOURCE_SHARE           4    /* one source has at most that part of the handshakes */
#define TCP_PARTIAL_MS             (64 * SIP_T1_MS) /* for the rest of a message to come */
#define TCP_REFUSED_MS             (5 * 60 * 1000)  /* a peer's refusal is remembered */
#define TCP_REFUSED_MAX            4096             /* peers whose refusal is remembered */
#define TRANSACTIONS_MAX           100000           /* whole ones */
#define REMNANTS_MAX               400000           /* what is left of ended ones */
#define TRANSACTIONS_RETRY_AFTER_S 10
#define STRANGER_ANSWERS_A_SECOND  50
#define BRANCH_TOKEN_LEN           20
#define BRANCH_MAX                 (sizeof(VIA_BRANCH_COOKIE) + BRANCH_TOKEN_LEN) /* bytes, with the NUL */
#define MAX_FORWARDS_DEFAULT       "70" /* RFC 3261 8.1.1.6 */
#define TAG_TOKEN_LEN              12
#define AUTH_SPACES_MAX            4  /* realms of one peer that credentials are kept for */
#define AUTH_TRIES_MAX             4  /* times that a request is sent again with credentials */
#define TAG_MAX                    64 /* bytes of an owner's tag that are kept for CANCEL */

struct sip;
struct connection;

/* Where a message came from or goes to. */
struct flow {
	unsigned listener;        /* its slot */
	enum transport transport; /* of this flow: a UDP listener has TCP flows too, 18.1.1 */
	struct addr remote;
	uint64_t connection; /* TCP, TLS: its id, 0 = any to remote */
	const char *peer;    /* TLS: the peer's name, of sip_intern; NULL otherwise */
	const char *whom; /* of a request of ours: the name of the peer that it is for, or NULL */
};

struct listener {
	struct loop_fd lf;
	struct sip *sip;
	unsigned slot;  /* in sip->listener: stays as long as the listener does */
	unsigned index; /* in sip->cfg: changes with a reload */
	enum transport transport;
	struct side_address asked; /* as configured; local below has the port that was bound */
	struct addr local;
	bool is_waiting;        /* no device had that address when it was looked for last */
	struct ssl_ctx_st *tls; /* NULL unless transport is TLS */
	bool asks_certificate;  /* of whoever connects */
	char *host;      /* advertised, IPv6 without brackets, as libosip2 wants it; or our FQDN */
	char *host_text; /* the same as a SIP host */
	uint16_t port;
	char *contact;
	struct overload_window window;
};

/* Places under which connections are found. A TLS connection that the peer opened is found by the
 * peer and its IP address: port 0 (RFC 5923). No padding, so that memcmp holds. */
struct remote_key {
	uint32_t listener;
	struct addr remote;
	const char *peer; /* as in struct flow */
};

struct source_count {
	struct addr ip; /* port 0 */
	unsigned connections;
	unsigned handshakes; /* of those, TLS handshakes under way */
	UT_hash_handle hh;
};

struct tls;

struct connection {
	struct loop_fd lf;
	struct sip *sip;
	uint64_t id;
	unsigned listener;
	struct addr remote;
	struct remote_key key; /* where keyed */
	bool keyed, connecting, closed, partial;
	bool is_ours;        /* we opened it */
	bool is_proven;      /* something came over it */
	bool is_pinged;      /* RFC 5626 4.4.1: a pong is awaited */
	bool has_ponged;     /* one has come before */
	bool is_handshaking; /* TLS, after connecting */
	bool is_watching_write;
	struct tls *tls;  /* NULL: plain TCP */
	const char *peer; /* TLS: whose it is, as in struct flow; NULL until that is known */
	const struct peer_config *admitted; /* that peer, by the configuration of that generation */
	uint64_t admitted_by;
	uint64_t message_ms; /* when the last message passed */
	struct source_count *source;
	struct framing framing;
	char *in;
	size_t in_len, in_room;
	char *out;
	size_t out_len, out_room;
	struct loop_timer timer;
	struct sip_client *waiting; /* client transactions that sent over it */
	bool is_pending;            /* among those with output to flush or input to read */
	struct connection *pending_prev, *pending_next;
	struct connection *next_dead;
	int error;           /* that it was closed with */
	bool is_hung_up;     /* in order, by the other end */
	bool is_output_lost; /* some of what was to reach the other end did not before that */
	UT_hash_handle hh_id, hh_key;
};

/* A place that we connect to. */
struct target {
	struct remote_key key;
	unsigned failures;              /* to connect, in a row */
	uint64_t until_ms;              /* no attempt before */
	struct ssl_session_st *session; /* to resume; NULL = none */
	UT_hash_handle hh;
};

struct tcp_refusal {
	struct addr remote;
	uint64_t until_ms;
	UT_hash_handle hh;
};

/* What is known of a peer by its name alone. */
struct peer_name {
	unsigned transactions; /* whole ones that it has asked for */
	UT_hash_handle hh;
	char text[];
};

/* What remains of a transaction whose outcome is known: RFC 3261 timers D, I, J, RFC 6026 L. */
struct remnant {
	struct sip *sip;
	struct loop_timer timer;
	struct flow flow;
	char *text;
	size_t len;
	bool is_accepted; /* an INVITE answered 2xx: its ACK belongs to the dialog */
	UT_hash_handle hh;
	unsigned key_len;
	char key[];
};

struct sip_server {
	struct sip *sip;
	osip_transaction_t *ot; /* NULL once a 2xx to INVITE was sent */
	osip_message_t *request;
	struct config *cfg;
	const struct peer_config *peer;
	struct peer_name *asker; /* that it is counted by, while it has a machine; NULL: by none */
	struct flow flow;
	struct addr source;
	void *owner;
	const struct sip_server_handlers *handlers;
	char *text; /* of the last response */
	size_t len;
	const osip_message_t *text_of;
	struct text saved; /* the request, once it was written down: that may be several times */
	struct loop_timer timer;     /* of the machine, or RFC 3261 13.3.1.4 */
	struct loop_timer end_timer; /* RFC 6026 timer L */
	unsigned interval_ms;
	struct local
		*local; /* of a request that we make to ourselves, else NULL: no machine, no flow */
	bool is_invite, is_final, is_accepted, is_acked, is_ended;
	int error;
	char tag[TAG_MAX];
	struct sip_server *next_ended;
	UT_hash_handle hh;
	unsigned key_len;
	char key[];
};

struct sip_client {
	struct sip *sip;
	osip_transaction_t *ot;  /* NULL once a 2xx to INVITE came */
	osip_message_t *request; /* parsed again from text where asked for after that */
	struct flow flow;
	void *owner;
	const struct sip_client_handlers *handlers;
	char *text; /* of the request */
	size_t len;
	char *ack; /* of the ACK to a 3xx-6xx */
	size_t ack_len;
	struct loop_timer timer;        /* of the machine, or RFC 6026 timer M */
	struct loop_timer cancel_timer; /* 64*T1 after CANCEL */
	char *cancel_reason;
	bool is_invite, is_cancel_wanted, is_cancel_sent, has_provisional, is_accepted, is_ended;
	unsigned late;                /* 2xx that came when nobody owned it any more */
	bool is_moved;                /* from UDP to TCP for its length */
	bool is_sent_again;           /* by another connection */
	bool is_sending, is_unlisted; /* out of sip->clients before its end */
	unsigned auth_tries, auth_answered_count;
	uint32_t auth_answered[AUTH_TRIES_MAX]; /* hashes of realms answered so far */
	int error;
	struct connection *connection;
	struct sip_client *prev, *next; /* among those waiting on connection */
	struct sip_client *next_ended;
	UT_hash_handle hh;
	unsigned key_len;
	char key[];
};

struct sip {
	struct loop *loop;
	struct config *cfg;
	uint64_t generation; /* of cfg, from 1 */
	struct sip_handlers handlers;
	unsigned t1_ms, t2_ms, t4_ms;
	osip_t *osip;
	sip_named_source_fn *named_source;
	void *named_source_ctx;
	struct config *retired[RETIRED_MAX]; /* older ones, newest first, while calls hold them */
	struct listener *listener[SLOTS_MAX];
	struct sip_status status;

	struct sip_server *servers; /* by key */
	struct sip_client *clients;
	struct remnant *remnants;
	struct known known;               /* servers, and remnants of such */
	struct auth_client *auth_clients; /* by name of peer */
	struct auth_failures *auth_failures;
	struct nonces *nonces; /* NULL until the first challenge */
	unsigned server_count, client_count, remnant_count;
	struct sip_server *ended_servers; /* to be told gone and freed, from the loop */
	struct sip_client *ended_clients;
	struct connection *dead_connections;
	struct loop_timer reap_timer;

	struct connection *connections_by_id, *connections_by_key;
	struct source_count *sources;
	struct tcp_refusal *refusals;
	struct target *targets;
	struct peer_name *peer_names;
	unsigned handshake_count; /* of those who connect to us */
	struct log_limit tls_limit;
	struct connection *pending;
	struct loop_timer pending_timer;
	struct loop_timer expiry_timer; /* a look at our certificates, daily */
	struct loop_timer address_timer;
	uint64_t last_connection_id;
	int spare_fd; /* given up to turn callers away when descriptors run out */
	unsigned connection_count;

	uint64_t stranger_window_ms;
	unsigned stranger_answers;
	struct strbuf scratch;     /* a text under way to a socket */
	struct strbuf request_key; /* of the transaction of what is being received */
	struct udp_batch *batch;
	struct udp_later *later; /* sent by UDP, and still here */
	sip_before_sending_fn *before_sending;
	void *before_sending_ctx;
	struct lately refused; /* INVITEs, from their text */
	struct overload overload;
	struct overload_window streams;
};

/* For tests: shorter timers, before anything is sent. */
void sip_set_timers(struct sip *sip, unsigned t1_ms, unsigned t2_ms, unsigned t4_ms);

/* ---- sip.c ---- */
/* Has the loop call gone and free what has ended, as soon as what is running returns to it. */
void reap_later(struct sip *sip);

/* All that peers are told by what waits to be sent is written down. */
void write_down_first(struct sip *sip);

/* ---- admission.c ---- */
/* The peer that speaks from remote to that listener; NULL = stranger. *leaving (may be NULL):
 * within its dialogs alone. */
const struct peer_config *admit(
	struct sip *sip, const struct addr *remote, unsigned slot, bool *leaving);
/* The same of peers for one of whose names the certificate is. */
const struct peer_config *admit_certificate(struct sip *sip, const struct addr *remote,
	unsigned slot, struct x509_st *certificate, bool *leaving);
bool admit_is_for(struct x509_st *certificate, const struct peer_config *peer);
/* The peer of that name, also one that a reload has dropped while calls of it live. */
const struct peer_config *admit_name(struct sip *sip, const char *name);
/* The peer whose connection this is now; NULL = nobody's any more. leaving may be NULL. */
const struct peer_config *admit_connection(struct connection *c, bool *leaving);
/* The peer that a message of that flow comes from: over TLS its certificate says so as well. */
const struct peer_config *admit_flow(struct sip *sip, const struct flow *flow, bool *leaving);
/* What the configuration in force says of that peer, which may be of an older one; itself where it
 * is in none any more. */
const struct peer_config *peer_in_force(const struct sip *sip, const struct peer_config *peer);
/* A configuration gives way to the next: its peers stay admitted while calls of theirs live. Takes
 * the reference over. */
void admission_retire(struct sip *sip, struct config *cfg);
void admission_free(struct sip *sip);

/* ---- listener.c ---- */
int listener_open(struct listener **out, struct sip *sip, unsigned slot, unsigned index,
	const struct listener_config *cfg);
/* The listener of a flow, NULL when it is gone. */
struct listener *listener_at(const struct sip *sip, unsigned slot);
bool listener_is(const struct listener *l, const struct listener_config *cfg);
/* Takes up what may change while it is open: its names and its TLS profile. 0 or -ENOMEM. */
int listener_update(struct listener *l, const struct listener_config *cfg);
/* Closes the socket and frees. Its connections are the caller's, and what waits to leave by it. */
void listener_close(struct listener *listener);
/* Bound, to send from; -errno. */
int listener_socket(const struct addr *local, int type);

/* ---- listener_address.c ---- */
/* Looks for the addresses of all listeners, tells which are not here, and looks on. */
void listeners_watch(struct sip *sip);
/* One that waits is looked at again. */
bool listener_waits(struct listener *l);

/* ---- transport.c ---- */
/* 0: given to the network or queued; -errno. */
int transport_send(struct sip *sip, struct flow *flow, const char *text, size_t len);
/* The same of an answer after which nothing is kept: what is sent meanwhile may overtake it. */
int transport_send_in_any_order(struct sip *sip, struct flow *flow, const char *text, size_t len);
/* The transport of requests to dest, whose listener is open. */
enum transport dest_transport(const struct sip *sip, const struct sip_dest *dest);
/* The flow of a request to dest, whose listener is open. 0, -ENOMEM, -EDESTADDRREQ. */
int dest_flow(struct sip *sip, const struct sip_dest *dest, struct flow *flow);
/* Where the response to a request goes. */
void transport_response_flow(struct flow *out, const struct flow *in, const struct via_text *via);

/* ---- transport_udp.c ---- */
int udp_batch_new(struct udp_batch **out);
void udp_batch_free(struct udp_batch *batch);
void udp_ready(struct loop_fd *lf, uint32_t events);
int udp_send(struct listener *listener, const struct addr *remote, const char *text, size_t len);

/* ---- udp_later.c ---- */
int udp_later_new(struct udp_later **out, struct sip *sip);
void udp_later_free(struct udp_later *l);
/* A batch of datagrams is about to be handled: what is put is kept until that is flushed. What is
 * put elsewhere leaves as soon as the loop has its turn. */
void udp_later_open(struct udp_later *l);
/* However much that is. False where it is to be sent at once, after what was put before it: without
 * memory, or no datagram. in_any_order: nothing else that is sent hangs on it. */
bool udp_later_put(struct udp_later *l, struct listener *listener, const struct addr *remote,
	const char *text, size_t len, bool in_any_order);
/* Sends what was put, once it is written down. Not from within a transaction: those whose requests
 * cannot be sent end. */
void udp_later_flush(struct udp_later *l);
/* Sends what was put now, whatever runs: nothing is written down any more. */
void udp_later_leave(struct udp_later *l);
/* As udp_later_flush where much waits, and goes on keeping. */
void udp_later_relieve(struct udp_later *l);

/* ---- tcp_accept.c ---- */
void tcp_accept_ready(struct loop_fd *lf, uint32_t events);
struct source_count *tcp_source_take(struct sip *sip, const struct addr *remote);
void tcp_source_release(struct sip *sip, struct source_count *s);

/* ---- transport_tcp.c ---- */
/* Takes fd over, also on failure. */
int tcp_connection_new(struct connection **out, struct sip *sip, int fd, unsigned listener,
	const struct addr *remote, bool connecting, const char *peer);
/* The connection of flow, else one to flow->remote, else a new one. flow->connection becomes its
 * id. */
int tcp_connection(struct sip *sip, struct flow *flow, struct connection **out);
int tcp_write(struct connection *c, const char *text, size_t len);
/* error: 0 where the peer closed in order, else -errno, which the transactions hear. */
void tcp_close(struct connection *c, int error);
void tcp_close_listener(struct sip *sip, unsigned listener);
void tcp_reap(struct sip *sip);
struct connection *tcp_find(struct sip *sip, const struct remote_key *key);
void tcp_key(struct connection *c, const struct remote_key *key);
/* Has the loop flush its output and read its input, once what is running has returned to it. */
void tcp_serve_later(struct connection *c);
/* The TLS handshake is done, and the peer is known. */
void tcp_established(struct connection *c);

/* ---- keepalive.c ---- */
/* Starts the timer of a connection on which nothing is under way. */
void keepalive_idle(struct connection *c);
/* That timer has run out. */
void keepalive_timeout(struct connection *c);
/* Something came. is_pong: a CRLF alone. */
void keepalive_heard(struct connection *c, bool is_pong);

/* ---- target.c ---- */
/* -EHOSTDOWN while attempts to connect there failed too lately, else 0. */
int target_check(struct sip *sip, const struct remote_key *key);
void target_failed(struct sip *sip, const struct remote_key *key);
void target_reached(struct sip *sip, const struct remote_key *key);
/* Takes the reference over. */
void target_keep_session(
	struct sip *sip, const struct remote_key *key, struct ssl_session_st *session);
/* Gives the reference away; NULL where there is none. */
struct ssl_session_st *target_take_session(struct sip *sip, const struct remote_key *key);
void target_forget_sessions(struct sip *sip);
void target_free_all(struct sip *sip);

/* ---- peer_name.c ---- */
/* NULL: no memory. */
struct peer_name *peer_name_get(struct sip *sip, const char *peer);
void peer_name_free_all(struct sip *sip);

/* ---- tls.c: RFC 3261 26.3.1, RFC 5922, RFC 8446 ---- */
/* Makes the TLS side of a connection whose TCP side stands. 0, -ENOMEM, -EHOSTUNREACH (its peer is
 * not known). */
int tls_start(struct connection *c);
/* Goes on with the handshake, as far as it goes; may close c. */
void tls_handshake(struct connection *c);
void tls_handshake_timeout(struct connection *c);
/* As recv and send, but for errors: -errno. */
ssize_t tls_recv(struct connection *c, char *buf, size_t len);
ssize_t tls_send(struct connection *c, const char *buf, size_t len);
bool tls_has_input(const struct connection *c);
bool tls_wants_write(const struct connection *c);
/* The peer's certificate, NULL where it has shown none. Borrowed. */
struct x509_st *tls_certificate(const struct connection *c);
/* No handshake under way any more, if it was one: before the connection lets go of its source. */
void tls_uncount(struct connection *c);
/* Tells the peer that nothing more comes, where that can be done at once, and frees. */
void tls_stop(struct connection *c);

/* ---- tls_report.c ---- */
/* One line in the log and one event, both rate-limited, and a counter: why there is no TLS
 * connection. names: those of the certificate, where one was shown. */
void tls_report(struct connection *c, long verify_error, unsigned long error, const char *names);
void tls_report_timeout(struct connection *c);
/* Warns of certificates of ours that run out, now and once a day. */
void tls_watch_expiry(struct sip *sip);

/* ---- tcp_refusal.c ---- */
bool tcp_is_refused_by(struct sip *sip, const struct addr *remote);
void tcp_remember_refusal(struct sip *sip, const struct addr *remote);
void tcp_forget_refusals(struct sip *sip);

/* A message has come, age_ns ago. w: the window of what it came by. */
void note_age(struct sip *sip, struct overload_window *w, uint64_t age_ns);
/* Something has come by a stream, in this round of the loop or before it. */
void note_stream_age(struct sip *sip);

/* ---- receive.c ---- */
void receive_message(
	struct sip *sip, const struct flow *flow, const char *buf, size_t len, bool is_stream);
/* What a stream brought that cannot be framed: answered with 413 or 400, where it can be. */
void receive_unframed(
	struct sip *sip, const struct flow *flow, const char *buf, size_t len, bool is_too_long);
/* The quoted start of a datagram of ours that was not delivered (ICMP). */
void receive_undelivered(struct sip *sip, const char *text, size_t len, int error);

/* ---- transaction.c ---- */
int transaction_osip_new(struct sip *sip);
int transaction_osip_init(
	osip_transaction_t **out, struct sip *sip, osip_fsm_type_t type, osip_message_t *request);
/* Runs one event; sip (may be NULL) goes over to the machine. 0 or -ENOMEM (sip is freed). */
int transaction_execute(osip_transaction_t *ot, type_t type, osip_message_t *sip);
/* Starts timer for the machine's next one; stops it where there is none. */
void transaction_timer_arm(struct loop *loop, struct loop_timer *timer, osip_transaction_t *ot);
/* Runs the machine's timers that are due. */
void transaction_timer_run(osip_transaction_t *ot);

/* ---- print.c ---- */
/* Message to text, for osip_free(). 0 or -ENOMEM. */
int message_print(osip_message_t *msg, char **text, size_t *len);
/* Whether it is written without the library. */
bool message_is_plain(const osip_message_t *msg);

/* ---- memory.c ---- */
/* libosip2's parser takes an allocation that fails for bad syntax now and then: they are counted
 * from here on. */
void memory_watch(void);
uint64_t memory_failures(void);

/* ---- remnant.c ---- */
/* Takes text over, also where it keeps nothing (table full, out of memory, for_ms 0). */
void remnant_add(struct sip *sip, const char *key, unsigned key_len, const struct flow *flow,
	char *text, size_t len, unsigned for_ms, bool is_accepted);
struct remnant *remnant_find(struct sip *sip, const char *key, unsigned key_len);
void remnant_free_all(struct sip *sip);

/* ---- transaction_key.c ---- */
/* RFC 3261 17.2.3: appends the key of the server transaction that a request with that method
 * belongs to (for ACK: INVITE). */
void transaction_server_key(struct strbuf *out, const struct raw *raw, const struct guard *g,
	const struct flow *flow, struct text method);
/* RFC 3261 17.1.3 */
void transaction_client_key(struct strbuf *out, struct text branch, struct text method);

/* ---- transaction_server.c ---- */
struct sip_server *server_find(struct sip *sip, const char *key, unsigned key_len);
/* A request again. */
void server_receive_again(struct sip_server *s);
/* ACK that matches s; msg goes over. */
void server_receive_ack(struct sip_server *s, osip_message_t *ack);
/* local.c: what a request to ourselves does in place of the machine's */
int local_respond(struct sip_server *s, osip_message_t *resp);
void local_acked(struct sip_server *s);
void local_abandoned(struct sip_server *s);
void local_free(struct sip_server *s);
/* The tag that its responses carry. */
const char *server_tag(struct sip_server *s);
/* text: what was answered already (100), or NULL; goes over, as does req. */
int server_new(struct sip_server **out, struct sip *sip, const char *key, unsigned key_len,
	const struct flow *in, const struct flow *back, const struct peer_config *peer,
	osip_message_t *req, char *text, size_t len);
/* A new one, of an INVITE, stands where its 2xx has been sent, by a daemon before us: until_ms as
 * in struct sip_saved_server. 0 or -ENOMEM: it has ended. */
int server_accept_again(struct sip_server *s, uint64_t until_ms);
void server_receive_cancel(struct sip_server *invite, osip_message_t *cancel);
int server_send_osip(struct sip_server *s, osip_message_t *msg);
void server_end(struct sip_server *s, int error);
bool server_reap(struct sip *sip);

/* ---- request.c ---- */
void request_make_branch(char branch[BRANCH_MAX]);
/* Max-Forwards and Content-Length where they are missing. 0 or -ENOMEM. */
int request_fill_in(struct sip *sip, osip_message_t *req);
/* 0 or -ENOMEM. */
int request_put_via(const struct listener *l, osip_message_t *req, enum transport transport,
	const char *branch);
/* Via's transport in a printed text; from and to are of one length. */
void request_rewrite_transport(char *text, size_t len, const char *from, const char *to);

/* ---- cancel.c ---- */
int cancel_make(const osip_message_t *invite, const char *reason, osip_message_t **out);

/* ---- auth_server.c ---- */
enum auth_verdict { AUTH_ADMITTED, AUTH_CHALLENGED, AUTH_MISDIRECTED, AUTH_REFUSED };
/* AUTH_ADMITTED: a request that is new may be handed up, since nobody asks it for credentials, or
 * they are right. Otherwise it is answered. raw: the request before it was parsed. */
enum auth_verdict auth_server_judge(struct sip_server *s, const struct raw *raw);
void auth_server_free(struct sip *sip);

/* ---- transaction_client.c ---- */
struct sip_client *client_find(struct sip *sip, const char *key, unsigned key_len);
/* A transaction for req, which has its Via with that branch; sends it (as: byte for byte; NULL:
 * printed) and takes it over, also on failure. 0 or -errno. */
int client_begin(struct sip *sip, const struct flow *flow, osip_message_t *req, const char *branch,
	const struct text *as, void *owner, const struct sip_client_handlers *handlers,
	struct sip_client **txn);
/* raw: resp before it was parsed. */
void client_receive(struct sip_client *c, osip_message_t *resp, const struct raw *raw);
int client_send_osip(struct sip_client *c, osip_message_t *msg);
/* The transport under it failed: UDP again where it was moved, else the end. */
void client_transport_failed(struct sip_client *c, int error);
/* Its connection was closed in order, and what was sent last has not come to the other end. */
void client_crossed(struct sip_client *c);
void client_detach(struct sip_client *c);
void client_end(struct sip_client *c, int error);
bool client_reap(struct sip *sip);

/* ---- auth_client.c ---- */
/* Adds the credentials that the peer at the other end of flow has asked for before. 0 or -ENOMEM,
 * -EOPNOTSUPP. */
int auth_client_put(struct sip *sip, const struct flow *flow, osip_message_t *req);
/* The request of c once more, with what its final response asks for; NULL where that is no
 * challenge, or none that can be answered. */
osip_message_t *auth_client_answer(struct sip_client *c, const osip_message_t *resp,
	const struct raw *raw, const char *branch);
/* The request of c once more, with that CSeq, a Via of its own, new credentials. NULL: no memory,
 * or its listener is closed. */
osip_message_t *auth_client_make_again(struct sip_client *c, uint32_t cseq, const char *branch);
/* What the peers asked for is asked anew: their passwords may have changed. */
void auth_client_forget(struct sip *sip);

#endif
