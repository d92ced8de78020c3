/* SPDX-License-Identifier: BSD-2-Clause */
/* SIP below the call: transports (RFC 3261 18), guards around the parser, transactions (RFC 3261
 * 17, RFC 6026) on libosip2. Above it nothing sees a socket or a retransmission. */
#ifndef VIADUCT_SIP_SIP_H
#define VIADUCT_SIP_SIP_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>
#include <osip2/osip.h>

#include "base/addr.h"
#include "base/certificate.h"
#include "base/loop.h"
#include "config/config.h"
#include "sip/text.h"

#define SIP_MESSAGE_MAX 65535 /* bytes; longer is refused (413 where it can be answered) */
#define LATE_2XX_MAX    20    /* of one INVITE, after its owner has gone */
#define SIP_T1_MS       500
#define SIP_T2_MS       4000
#define SIP_T4_MS       5000

struct sip;
struct sip_server; /* a server transaction */
struct sip_client; /* a client transaction */

/* What the owner of a client transaction hears. Any member may be NULL. */
struct sip_client_handlers {
	/* 100 Trying is handed up as well: a sign that the peer is working. */
	bool want_100;
	/* A response (not 100, unless want_100), parsed and checked. For INVITE, 2xx may come again
	 * and from several branches of a fork, for 64*T1 after the first (RFC 6026 Accepted): every
	 * one is handed up, and it is the owner who ACKs 2xx (sip_send_ack) each time. ACK to
	 * 3xx-6xx is sent below. resp belongs to the caller and lives for the length of this call.
	 */
	void (*response)(void *owner, struct sip_client *txn, osip_message_t *resp);
	/* The request is about to be sent again in the same txn, with the credentials that a 401 or
	 * 407 asked for (RFC 3261 22.2), which is not handed up then. Returns the CSeq that it
	 * gets, 0: it is not sent again, and the response handed up. NULL: the next CSeq. */
	uint32_t (*challenged)(void *owner, struct sip_client *txn);
	/* It was refused with 500, by which its CSeq may be meant (RFC 3261 12.2.2). Returns the
	 * one to send it again with, in the same txn; 0: it is not, and the response handed up.
	 * NULL: 0. */
	uint32_t (*out_of_order)(void *owner, struct sip_client *txn);
	/* No final response: timed out (-ETIMEDOUT) or the transport failed (-errno). */
	void (*failed)(void *owner, struct sip_client *txn, int error);
	/* The transaction is about to be freed; the pointer is dead after this. Always the last
	 * call, exactly once, never from inside sip_client_send or sip_client_cancel. */
	void (*gone)(void *owner, struct sip_client *txn);
};

/* An INVITE that asked for a call and was refused before anything was made of it. The pieces are
 * those of its text. */
struct sip_refused {
	const struct peer_config *peer;
	struct addr source;
	struct text uri; /* Request-URI */
	struct text from, from_tag, call_id;
	int code;
	const char *why; /* in words */
};

struct sip_handlers {
	void *ctx;
	/* A new request (not ACK, CANCEL), well-formed, from an admitted peer; Via received/rport
	 * are filled in. It has its server transaction: answer it with sip_server_reply or
	 * sip_server_respond, now or later. For INVITE, 100 has been sent already. req lives as
	 * long as txn: sip_server_request(txn). */
	void (*request)(void *ctx, struct sip_server *txn, osip_message_t *req,
		const struct peer_config *peer);
	/* A 2xx to an INVITE of ours that nobody owns any more; at most LATE_2XX_MAX for each. May
	 * be NULL. */
	void (*late_2xx)(void *ctx, struct sip_client *txn, osip_message_t *resp);
	/* A 2xx to an INVITE that we know nothing of, from an admitted peer. May be NULL. */
	void (*stray_2xx)(void *ctx, osip_message_t *resp, const struct peer_config *peer);
	/* Whether a request of that peer with that Request-URI is an emergency call's: it is not
	 * refused when we fall behind. May be NULL. */
	bool (*is_emergency)(
		void *ctx, const struct peer_config *peer, const char *uri, size_t len);
	/* Once for each, however often it comes. It has to be cheap: it is called most when there
	 * is no time. May be NULL. */
	void (*refused)(void *ctx, const struct sip_refused *refused);
	/* We have fallen behind, or no more: one line. May be NULL. */
	void (*overload)(void *ctx, const char *text);
	/* ACK that belongs to no transaction: acknowledges a 2xx. */
	void (*ack)(void *ctx, osip_message_t *ack, const struct peer_config *peer);
	/* What an operator should know; kind: "tls", "auth", "listener"; text: one line. May be
	 * NULL. */
	void (*event)(void *ctx, const char *kind, const char *text);
};

/* What the owner of a server transaction hears, once sip_server_set_owner was called. */
struct sip_server_handlers {
	/* A CANCEL matched this INVITE transaction, which has no final response yet. The CANCEL is
	 * answered already (200); the owner answers the INVITE with 487 when it has stopped the
	 * rest. */
	void (*cancelled)(void *owner, struct sip_server *txn, osip_message_t *cancel);
	/* A 2xx to INVITE was sent again for 64*T1 and no sip_server_acked came. */
	void (*not_acked)(void *owner, struct sip_server *txn);
	/* The response cannot be delivered (connection lost …). Informational; -errno. */
	void (*failed)(void *owner, struct sip_server *txn, int error);
	/* As for a client transaction. */
	void (*gone)(void *owner, struct sip_server *txn);
};

/* Opens the listeners of cfg; those whose address no device has yet serve when one has. 0 or
 * -errno, with the cause logged. */
int sip_new(struct sip **out, struct loop *loop, const struct config *cfg,
	const struct sip_handlers *handlers);
/* Ends every transaction (gone is called for each) and closes every socket. */
void sip_free(struct sip *sip);
/* RFC 3261 T1. */
unsigned sip_t1_ms(const struct sip *sip);
/* Opens new listeners, closes removed ones (their live transactions fail), takes up peers. All or
 * nothing: -errno leaves the old in force. */
int sip_reload(struct sip *sip, const struct config *cfg, FILE *errors);

/* Sources that the configuration does not list, because they come from resolved names: the name of
 * the peer that has source at that listener, the index-th of several; NULL = no (further) one. A
 * source of the configuration goes before them. *leaving: its dialogs go on, new ones are refused.
 */
typedef const char *sip_named_source_fn(
	void *ctx, const struct addr *source, unsigned listener, unsigned index, bool *leaving);
void sip_set_named_sources(struct sip *sip, sip_named_source_fn *fn, void *ctx);
/* Whether that peer may speak from ip at that listener, by the configuration or by name. */
bool sip_is_source_of(const struct sip *sip, const struct peer_config *peer, unsigned listener,
	const struct addr *ip);

/* ---- server side ---- */
void sip_server_set_owner(
	struct sip_server *txn, void *owner, const struct sip_server_handlers *handlers);
osip_message_t *sip_server_request(struct sip_server *txn);
const struct peer_config *sip_server_peer(const struct sip_server *txn);
unsigned sip_server_listener(const struct sip_server *txn);
const struct addr *sip_server_source(const struct sip_server *txn);
bool sip_server_is_local(const struct sip_server *txn); /* made by sip_local_new */
bool sip_server_is_final(const struct sip_server *txn); /* a final response was sent */
/* It is an INVITE from a wire with a final response, no 2xx, whose ACK has not come. */
bool sip_server_awaits_ack(const struct sip_server *txn);
/* Makes a response: Via, From, To, Call-ID, CSeq, and Record-Route (for 101-299 to INVITE, RFC 3261
 * 12.1.1) copied from the request, Content-Length 0. to_tag is put on To unless it has a tag
 * already; NULL: a tag of the transaction's own, always the same. reason NULL: the standard phrase.
 * 0 or -ENOMEM. */
int sip_response_make(struct sip_server *txn, int code, const char *reason, const char *to_tag,
	osip_message_t **out);
/* Sends resp and takes ownership of it, also on failure. 2xx to INVITE is sent again at T1, 2*T1 …
 * T2 until sip_server_acked() (RFC 3261 13.3.1.4), over every transport. Provisional responses are
 * sent once. Reliable ones (100rel): the owner sends again itself, with sip_server_respond of a
 * clone. */
int sip_server_respond(struct sip_server *txn, osip_message_t *resp);
/* make + respond, with nothing else in it. extra_header/value may be NULL. */
int sip_server_reply(struct sip_server *txn, int code, const char *reason, const char *extra_header,
	const char *extra_value);
/* The ACK for our 2xx has come. */
void sip_server_acked(struct sip_server *txn);

/* ---- requests that we make to ourselves ---- */
struct sip_local_handlers {
	/* From the loop, one after the other; resp lives for the length of the call. A 2xx waits
	 * for sip_server_acked. The transaction is gone after a refusal. */
	void (*response)(void *ctx, struct sip_server *txn, osip_message_t *resp);
};
/* A server transaction for req, as if that peer had sent it to that listener; to be given to the
 * one who answers requests, and never seen on a wire. Takes ownership of req, also on failure. 0 or
 * -ENOMEM. */
int sip_local_new(struct sip_server **out, struct sip *sip, osip_message_t *req,
	const struct peer_config *peer, unsigned listener, const struct sip_local_handlers *asker,
	void *ctx);
/* ctx of who asked, NULL where the request came by a wire, or who asked wants no more. */
void *sip_local_asker(const struct sip_server *txn);
/* The same of the daemon before, by its text. 0; -EBADMSG it is no INVITE; -ENOMEM. */
int sip_local_adopt(struct sip *sip, struct text req, const struct peer_config *peer,
	unsigned listener, const struct sip_local_handlers *asker, void *ctx,
	struct sip_server **out);
/* Who asked wants no more; the one who answers hears of a CANCEL if it has not. */
void sip_local_forget(struct sip_server *txn);

/* ---- client side ---- */
struct sip_dest {
	unsigned listener; /* that it leaves from: its address, its Via */
	struct addr remote;
	bool over_tcp;    /* from a UDP listener too: the remote target asks for it */
	const char *peer; /* whose names its certificate must have: needed from a TLS listener */
};
/* The same text, as long as sip lives: for names of peers in a struct sip_dest. NULL: no memory. */
const char *sip_intern(struct sip *sip, const char *peer);
/* Sends req in a new client transaction and takes ownership of it, also on failure. The caller has
 * filled everything but Via (added here, with the branch) and, where missing, Max-Forwards and
 * Content-Length. UDP requests larger than RFC 3261 18.1.1 allows go over TCP, and come back to UDP
 * where the peer refuses TCP. Returns 0 or -errno; after an error no handler is called. While
 * datagrams are handled those that UDP cannot send are told by failed, once that is done. */
int sip_client_send(struct sip *sip, const struct sip_dest *dest, osip_message_t *req, void *owner,
	const struct sip_client_handlers *handlers, struct sip_client **txn);
/* Cancels an INVITE (RFC 3261 9.1): CANCEL goes out now, or with the first provisional response, or
 * never if a final one comes first. The INVITE's own final response (mostly 487, perhaps 2xx) still
 * comes; if none comes 64*T1 after the CANCEL, failed(-ETIMEDOUT). reason: value of a Reason header
 * field, or NULL. */
int sip_client_cancel(struct sip_client *txn, const char *reason);
/* Sends an ACK for a 2xx, without a transaction: Via is added (a new branch). Takes ownership. If
 * text is not NULL, *text gets the bytes sent (malloc'd), for sip_send_again. */
int sip_send_ack(struct sip *sip, const struct sip_dest *dest, osip_message_t *ack, char **text,
	size_t *len);
/* RFC 3261 22.1: an ACK has the credentials of its INVITE. txn: the INVITE's, may be NULL. */
void sip_copy_credentials(const struct sip_client *txn, osip_message_t *to);
int sip_send_again(struct sip *sip, const struct sip_dest *dest, const char *text, size_t len);
/* Forgets the owner: no handler is called any more; the transaction finishes by itself. */
void sip_client_abandon(struct sip_client *txn);
void sip_server_abandon(struct sip_server *txn);
/* Ends a transaction that is not an INVITE's: nothing is sent any more, and an answer that still
 * comes is a stray. Of the handlers only gone is called. */
void sip_client_stop(struct sip_client *txn);
/* Hands the transaction to another owner, with the same handlers. */
void sip_client_set_owner(struct sip_client *txn, void *owner);
osip_message_t *sip_client_request(struct sip_client *txn);
/* Where it was sent. */
struct sip_dest sip_client_dest(const struct sip_client *txn);

/* ---- requests without a final response, INVITEs without its ACK, from one daemon to the next ----
 */
struct sip_saved_server {
	struct addr source, remote; /* whence the request came, where responses go */
	bool is_invite;
	const char *tag;      /* of responses that the owner gives none; "": not made yet */
	struct text response; /* the last one */
	uint64_t until_ms; /* of the loop's clock, of a 2xx: it is sent again until then; else 0 */
	bool is_refused;   /* the response is final and no 2xx */
	struct text request;
};
/* What a transaction is, to be written down: the strings live until it is acknowledged or gone. 0;
 * -EINVAL: it is over, an INVITE's refused, or none from a wire; -ENOMEM. */
int sip_server_save(struct sip_server *txn, struct sip_saved_server *out);
/* The same of an INVITE that has a final response, no 2xx, and not its ACK; -EINVAL otherwise. */
int sip_server_save_refused(struct sip_server *txn, struct sip_saved_server *out);
/* A provisional response (not 100) of the daemon before, by its text. 0; -EBADMSG it is none;
 * -ENOMEM. */
int sip_response_adopt(struct text in, osip_message_t **out);
/* The same transaction in this daemon; its retransmissions get the last response. What it came over
 * has gone with the daemon before: over TCP and TLS it is answered over a connection to sent-by's
 * port (RFC 3261 18.2.2). Of a 2xx: that is sent again at once, then as sip_server_respond has it,
 * for what is left of its time, and for T2 at least: its ACK may have come while nobody listened. A
 * refusal of an INVITE is given once more: sent at once and, over UDP, again until its ACK comes or
 * Timer H fires (17.2.1). 0 or -errno. */
int sip_server_adopt(struct sip *sip, const struct peer_config *peer, unsigned listener,
	const struct sip_saved_server *saved, struct sip_server **txn);
/* *out: the request as it was sent, as long as txn lives. 0; -EINVAL: it is cancelled, or has its
 * final response, unless that is an INVITE's 2xx. */
int sip_client_save(const struct sip_client *txn, struct text *out);
/* The same of an INVITE that is cancelled and has no final response. 0 or -EINVAL. */
int sip_client_save_cancelled(const struct sip_client *txn, struct text *out);
/* Whether that is how it went: whoever has it answers a retransmission as before for 64*T1. Over
 * TCP and TLS the transaction ends with its answer (RFC 3261 17.2.2), and the same is new to him.
 */
bool sip_went_over_udp(struct text request);
/* The same transaction in this daemon: it is sent again as it was. As sip_client_send. */
int sip_client_adopt(struct sip *sip, const struct sip_dest *dest, struct text request, void *owner,
	const struct sip_client_handlers *handlers, struct sip_client **txn);

/* A listener is named by a number that it keeps as long as it is open, over reloads too; that is
 * not its place in the configuration. */
#define SIP_NO_LISTENER UINT_MAX
/* The number of the open listener that lc describes, SIP_NO_LISTENER if there is none. */
unsigned sip_listener_slot(const struct sip *sip, const struct listener_config *lc);
bool sip_listener_is_open(const struct sip *sip, unsigned listener);
/* It is open, and no device that is up has its address: nothing comes, and nothing is sent. */
bool sip_listener_waits(const struct sip *sip, unsigned listener);
#define SIP_LISTENER_MISSING "no device that is up has that address"
#define LISTENER_TEXT_MAX    160 /* bytes, NUL included */
/* "NAME ADDRESS TRANSPORT". Returns buf. */
char *sip_listener_text(const struct listener_config *lc, char buf[LISTENER_TEXT_MAX]);
/* "host:port" of a listener as others reach it, for Contact; with ";transport=tcp" parameter to add
 * where needed: "192.0.2.1:5060" / "[2001:db8::1]:5060;transport=tcp". */
const char *sip_listener_contact(const struct sip *sip, unsigned listener);
/* The host alone, for From, Warning and the like. */
const char *sip_listener_host(const struct sip *sip, unsigned listener);

/* What is known of a peer's TLS connections. */
struct sip_tls_info {
	unsigned connections; /* open now */
	/* Of one of them. */
	bool opened_by_us, resumed;
	char version[16], cipher[64];
	bool has_certificate;
	struct certificate_info certificate; /* the peer's */
};
void sip_get_tls(const struct sip *sip, const char *peer, struct sip_tls_info *out);

/* Counters by name, for status: everything that was refused or dropped, and why. */
#define SIP_COUNTERS(X)                                                                            \
	X(requests_in, "requests received")                                                        \
	X(responses_in, "responses received")                                                      \
	X(requests_out, "requests sent, retransmissions left out")                                 \
	X(responses_out, "responses sent, retransmissions left out")                               \
	X(retransmissions_in, "messages received again and absorbed")                              \
	X(retransmissions_out, "messages sent again")                                              \
	X(keepalives, "CRLF and empty datagrams")                                                  \
	X(unknown_source, "requests from nobody configured")                                       \
	X(malformed, "messages refused by the guards or the parser")                               \
	X(too_long, "messages over the limit")                                                     \
	X(stray_responses, "responses that match nothing")                                         \
	X(challenges_out, "requests answered with 401: their credentials are missing or too old")  \
	X(auth_failures, "requests with wrong credentials")                                        \
	X(auth_refused, "requests refused after too many of those")                                \
	X(auth_misdirected, "requests refused: their credentials are for another Request-URI")     \
	X(timeouts, "client transactions without an answer")                                       \
	X(transport_errors, "sends that failed")                                                   \
	X(unwritten, "datagrams that left before what they tell was written down: too many")       \
	X(pings, "CRLF pings sent over idle connections (RFC 5626)")                               \
	X(pongs_missed, "connections closed: pings were answered before, and are not now")         \
	X(backoff_refused, "requests not sent: connecting to their peer failed lately")            \
	X(places_forgotten, "places that took no connection, and are too many to be remembered")   \
	X(tls_accepted, "TLS handshakes done, opened by a peer")                                   \
	X(tls_connected, "TLS handshakes done, opened by us")                                      \
	X(tls_resumed, "of both, sessions resumed")                                                \
	X(tls_reused, "requests sent over a TLS connection that the peer opened")                  \
	X(tls_no_certificate, "TLS refused: no certificate shown")                                 \
	X(tls_expired, "TLS refused: certificate expired, or not valid yet")                       \
	X(tls_untrusted, "TLS refused: certificate of an authority not trusted")                   \
	X(tls_wrong_name, "TLS refused: certificate for another name")                             \
	X(tls_refused_us, "TLS handshakes that the peer refused with an alert")                    \
	X(tls_failed, "TLS handshakes that failed otherwise: no TLS, no common version")           \
	X(tls_timeouts, "TLS handshakes not done in time")                                         \
	X(tls_handshakes_refused, "connections refused: TLS handshakes at their limit")            \
	X(tls_handshakes, "TLS handshakes under way now, opened by peers")                         \
	X(tcp_connections, "connections open now")                                                 \
	X(tcp_refused, "connections refused: limit or stranger")                                   \
	X(tcp_dropped, "connections dropped: slow, idle or unframed")                              \
	X(transactions_refused,                                                                    \
		"requests refused, or not sent, because transactions are at their limit")          \
	X(share_refused, "requests refused because their peer had its share of the transactions")  \
	X(forgotten, "ended transactions not remembered because they are at their limit")          \
	X(memory_refused, "requests refused because memory was out")                               \
	X(shed, "new calls refused because we had fallen behind")                                  \
	X(overloads, "times that we fell behind")                                                  \
	X(shed_percent, "share of the new calls that is refused for that now")                     \
	X(lag_ms, "how far we are behind now")                                                     \
	X(transactions, "transactions alive now")

#define SIP_COUNTER_FIELD(name, text) uint64_t name;
/* Called before what was sent leaves, and never from within what sends it: what peers are told is
 * to be written down by then. */
typedef void sip_before_sending_fn(void *ctx);
void sip_set_before_sending(struct sip *sip, sip_before_sending_fn *fn, void *ctx);

struct sip_status {
	SIP_COUNTERS(SIP_COUNTER_FIELD)
};
void sip_get_status(const struct sip *sip, struct sip_status *out);

#endif
