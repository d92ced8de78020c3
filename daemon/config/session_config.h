/* SPDX-License-Identifier: BSD-2-Clause */
/* How a peer is spoken with in the course of a call: session timers, reliable provisional
 * responses, offers, forks, early media, hold. Each setting is about that peer's leg alone. */
#ifndef VIADUCT_CONFIG_SESSION_CONFIG_H
#define VIADUCT_CONFIG_SESSION_CONFIG_H

/* RFC 4028. off: the extension is not spoken. accept: the peer's are honoured. request: we ask for
 * one as well. require: a peer that does not know them gets no call. */
enum session_timer_mode {
	SESSION_TIMER_OFF,
	SESSION_TIMER_ACCEPT,
	SESSION_TIMER_REQUEST,
	SESSION_TIMER_REQUIRE,
};
/* Whom we ask to refresh, where the choice is ours. */
enum session_timer_refresher {
	SESSION_REFRESHER_AUTO,
	SESSION_REFRESHER_US,
	SESSION_REFRESHER_PEER
};
/* RFC 3262. pass: end to end where both legs can. end: each leg on its own. off: not spoken. */
enum reliable_mode { RELIABLE_PASS, RELIABLE_END, RELIABLE_OFF };
/* An INVITE without an offer for that peer. */
enum delayed_offer_mode { DELAYED_OFFER_ACCEPT, DELAYED_OFFER_CONVERT, DELAYED_OFFER_REFUSE };
/* Whether that peer, calling, is shown each branch of a fork as a dialog of its own. */
enum forking_mode { FORKING_PASS, FORKING_FOLD };
enum early_media_mode { EARLY_MEDIA_PASS, EARLY_MEDIA_BLOCK };
/* What the peer, calling, is sent for 180 and 183. */
enum ringing_mode { RINGING_PASS, RINGING_180_TO_183, RINGING_183_TO_180 };
/* What the peer is sent when the other side puts it on hold. */
enum hold_mode { HOLD_PASS, HOLD_INACTIVE, HOLD_SENDONLY, HOLD_ZERO };

#define CONFIG_EARLY_DIALOGS_MAX 20

struct session_config {
	enum session_timer_mode timer;
	enum session_timer_refresher refresher;
	unsigned interval_s, min_s; /* Session-Expires that we ask for, Min-SE */
	enum reliable_mode reliable;
	enum delayed_offer_mode delayed_offer;
	enum forking_mode forking;
	unsigned early_dialogs_max; /* of one call to it */
	enum early_media_mode early_media;
	enum ringing_mode ringing;
	enum hold_mode hold;
};

#endif
