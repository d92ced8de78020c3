/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is said to call whom, on the way from one leg to the other: P-Asserted-Identity (RFC 3325),
 * Privacy (RFC 3323), History-Info (RFC 7044), Diversion (RFC 5806), Referred-By (RFC 3892),
 * User-to-User (RFC 7433). Claims are taken from peers that are trusted, and told to peers that are
 * to have them; the host of each URI becomes ours, since it names a place of the other side. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "call/carry.h"
#include "call/number.h"

/* RFC 3323 4.1.1.3 */
#define ANONYMOUS_NAME "\"Anonymous\""

enum privacy {
	PRIVACY_HEADER = 1 << 0,
	PRIVACY_SESSION = 1 << 1,
	PRIVACY_USER = 1 << 2,
	PRIVACY_NONE = 1 << 3,
	PRIVACY_CRITICAL = 1 << 4,
	PRIVACY_ID = 1 << 5,
	PRIVACY_HISTORY = 1 << 6,
};

static const struct {
	const char *name;
	enum privacy bit;
} privacy_values[] = {{"header", PRIVACY_HEADER}, {"session", PRIVACY_SESSION},
	{"user", PRIVACY_USER}, {"none", PRIVACY_NONE}, {"critical", PRIVACY_CRITICAL},
	{"id", PRIVACY_ID}, {"history", PRIVACY_HISTORY}};

#define PRIVACY_COUNT (sizeof(privacy_values) / sizeof(privacy_values[0]))
/* What a back-to-back user agent gives by its nature, and what is done here. */
#define PRIVACY_PROVIDED                                                                           \
	(PRIVACY_HEADER | PRIVACY_SESSION | PRIVACY_USER | PRIVACY_HISTORY | PRIVACY_CRITICAL)

/* ---- header fields with several values ---- */

/* The next of the comma-separated values, quotes and angle brackets heeded; advances *text. NULL
 * without memory or when there is none. */
static char *next_value(const char **text)
{
	bool quoted = false, bracketed = false;
	const char *s = *text + strspn(*text, ", \t\r\n"), *start = s;

	for (; *s && (quoted || bracketed || *s != ','); s++) {
		if (quoted && *s == '\\' && s[1])
			s++;
		else if (*s == '"' && !bracketed)
			quoted = !quoted;
		else if (*s == '<' && !quoted)
			bracketed = true;
		else if (*s == '>' && !quoted)
			bracketed = false;
	}
	*text = s;
	return s > start ? strndup(start, (size_t)(s - start)) : NULL;
}

/* What is done with each value of a header field. 0 or -ENOMEM. */
struct crossing_field;
typedef int value_fn(const struct crossing_field *f, char *value, osip_message_t *out);

struct crossing_field {
	const char *name, *compact; /* compact form, or NULL */
	value_fn *put;
	const struct crossing *way;
	const osip_message_t *msg, *out; /* where put wants them */
	const char *as;                  /* its name on the other side, NULL: the same */
	bool drops_name;                 /* display names */
};

static int for_values(const struct crossing_field *f, const osip_message_t *msg,
	osip_message_t *out, unsigned *count)
{
	int ret = 0;

	*count = 0;
	for (int i = 0; i < osip_list_size(&msg->headers) && !ret; i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);
		const char *text = h->hvalue;
		char *value;

		if (!h->hname || !text ||
			(strcasecmp(h->hname, f->name) != 0 &&
				!(f->compact && strcasecmp(h->hname, f->compact) == 0)))
			continue;
		while (!ret && (value = next_value(&text))) {
			ret = f->put(f, value, out);
			free(value);
			(*count)++;
		}
	}
	return ret;
}

/* ---- URIs ---- */

/* The user and what is a number's own stay; the place becomes ours. False where the URI says nobody
 * that can be named on the other side. */
static bool hide_place(osip_uri_t *uri, const char *host)
{
	osip_uri_param_t *user = NULL;
	bool is_phone;

	if (!uri || !uri->scheme)
		return false;
	if (strcasecmp(uri->scheme, "tel") == 0)
		return uri->string && uri->string[0];
	if (strcasecmp(uri->scheme, "sip") != 0 && strcasecmp(uri->scheme, "sips") != 0)
		return false;
	if (!uri->username || !uri->username[0])
		return false;
	if (uri->host && strcasecmp(uri->host, ANONYMOUS_HOST) == 0)
		return true;
	osip_uri_param_get_byname(&uri->url_params, (char *)"user", &user);
	is_phone = user && user->gvalue && strcasecmp(user->gvalue, "phone") == 0;
	osip_uri_param_freelist(&uri->url_params);
	osip_free(uri->port);
	osip_free(uri->password);
	uri->port = uri->password = NULL;
	return uri_set_host(uri, host) == 0 && (!is_phone || osip_uri_set_user_phone(uri) == 0);
}

/* With its parameters, its URI's place hidden; nothing where its URI says nobody. */
static int put_addr(const struct crossing_field *f, osip_from_t *addr, osip_message_t *out)
{
	char *text = NULL;
	int ret = 0;

	if (!hide_place(addr->url, f->way->host))
		return 0;
	if (osip_from_to_str(addr, &text) ||
		osip_message_set_header(out, f->as ? f->as : f->name, text))
		ret = -ENOMEM;
	osip_free(text);
	return ret;
}

/* The number of a value after the rules: 0, -EINVAL where they make none of it, -ENOMEM. */
typedef int renumber_fn(
	const struct crossing_field *f, const osip_from_t *addr, char number[CALL_NUMBER_MAX + 1]);

/* RFC 5806 5: what a Diversion wants withheld of itself; its examples have the word in quotes. */
static bool withholds(const struct crossing_field *f, const osip_from_t *addr, const char *what)
{
	osip_generic_param_t *privacy = NULL;
	size_t n = strlen(what);
	const char *s;

	osip_uri_param_get_byname(
		(osip_list_t *)(uintptr_t)&addr->gen_params, (char *)"privacy", &privacy);
	s = privacy ? privacy->gvalue : NULL;
	if (!s || f->way->to->identity.trusted)
		return false;
	s += *s == '"';
	return strncasecmp(s, what, n) == 0 && (!s[n] || s[n] == '"');
}

static bool is_anonymous(const osip_uri_t *uri)
{
	return uri->host && strcasecmp(uri->host, ANONYMOUS_HOST) == 0;
}

/* A name-addr. A value that is none is left out, as is one whose number becomes none. */
static int put_renumbered(
	const struct crossing_field *f, char *value, osip_message_t *out, renumber_fn *renumber)
{
	char number[CALL_NUMBER_MAX + 1];
	osip_from_t *addr = NULL;
	int ret = 0;

	if (osip_from_init(&addr))
		return -ENOMEM;
	if (osip_from_parse(addr, value) == 0 && addr->url && !withholds(f, addr, "full") &&
		!withholds(f, addr, "uri")) {
		if (f->drops_name || withholds(f, addr, "name")) {
			osip_free(addr->displayname);
			addr->displayname = NULL;
		}
		if (!is_anonymous(addr->url)) {
			ret = renumber(f, addr, number);
			if (!ret)
				ret = number_replace(addr->url, number);
		}
		if (!ret)
			ret = put_addr(f, addr, out);
	}
	osip_from_free(addr);
	return ret == -EINVAL ? 0 : ret;
}

/* ---- Privacy ---- */

static unsigned privacy_of(const osip_message_t *msg)
{
	unsigned privacy = 0;

	for (int i = 0; i < osip_list_size(&msg->headers); i++) {
		const osip_header_t *h = osip_list_get(&msg->headers, i);
		const char *s = h->hvalue;

		if (!h->hname || !s || strcasecmp(h->hname, "Privacy") != 0)
			continue;
		while (*s) {
			size_t n;

			s += strspn(s, ";, \t\r\n");
			n = strcspn(s, ";, \t\r\n");
			for (size_t j = 0; j < PRIVACY_COUNT; j++) {
				if (strlen(privacy_values[j].name) == n &&
					strncasecmp(s, privacy_values[j].name, n) == 0)
					privacy |= privacy_values[j].bit;
			}
			s += n;
		}
	}
	return privacy;
}

/* RFC 3323 5: what was provided here is asked of nobody else any more. */
static int put_privacy(unsigned privacy, const struct crossing *way, osip_message_t *out)
{
	char text[64] = "";

	if (!way->to->identity.trusted)
		privacy &= ~(unsigned)PRIVACY_PROVIDED;
	for (size_t i = 0; i < PRIVACY_COUNT; i++) {
		if (!(privacy & privacy_values[i].bit))
			continue;
		if (text[0])
			strcat(text, ";");
		strcat(text, privacy_values[i].name);
	}
	return text[0] && osip_message_set_header(out, "Privacy", text) ? -ENOMEM : 0;
}

static void remove_headers(osip_message_t *out, const char *const *name, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (int j = osip_list_size(&out->headers) - 1; j >= 0; j--) {
			osip_header_t *h = osip_list_get(&out->headers, j);

			if (h->hname && strcasecmp(h->hname, name[i]) == 0) {
				osip_list_remove(&out->headers, j);
				osip_header_free(h);
			}
		}
	}
}

/* RFC 8224: its signature is of the number that is not shown, which it has in it. */
static void withhold_signed(osip_message_t *out)
{
	static const char *const names[] = {"Identity", "y", "Identity-Info", "n"};

	remove_headers(out, names, sizeof(names) / sizeof(names[0]));
}

/* RFC 3323 4.1: what the caller wrote about itself stays here. */
static void withhold_details(osip_message_t *out)
{
	static const char *const told[] = {"Subject", "Organization", "Reply-To"};

	osip_list_special_free(&out->call_infos, (void (*)(void *))osip_call_info_free);
	remove_headers(out, told, sizeof(told) / sizeof(told[0]));
	withhold_signed(out);
}

/* RFC 3323 4.1 and 5.3, of an INVITE that begins a dialog: its From names nobody. */
static int withhold_caller(osip_message_t *out)
{
	osip_uri_t *url = NULL;

	if (osip_uri_init(&url))
		return -ENOMEM;
	osip_uri_set_scheme(url, osip_strdup("sip"));
	osip_uri_set_username(url, osip_strdup(ANONYMOUS_USER));
	osip_uri_set_host(url, osip_strdup(ANONYMOUS_HOST));
	osip_uri_free(out->from->url);
	out->from->url = url;
	osip_free(out->from->displayname);
	out->from->displayname = osip_strdup(ANONYMOUS_NAME);
	return url->username && url->host && out->from->displayname ? 0 : -ENOMEM;
}

/* ---- the identities ---- */

/* Our own word for it: the From that the other side is shown. */
static int assert_from(osip_message_t *out)
{
	char *uri = NULL, *text = NULL;
	int ret = -ENOMEM;

	if (!out->from || !out->from->url || !out->from->url->username ||
		(out->from->url->host && strcasecmp(out->from->url->host, ANONYMOUS_HOST) == 0))
		return 0;
	if (osip_uri_to_str(out->from->url, &uri) == 0 && asprintf(&text, "<%s>", uri) >= 0)
		ret = osip_message_set_header(out, "P-Asserted-Identity", text) ? -ENOMEM : 0;
	free(text);
	osip_free(uri);
	return ret;
}

/* The number of an asserted identity is the caller's as From's is: the same rules apply. */
static int renumber_caller(
	const struct crossing_field *f, const osip_from_t *addr, char number[CALL_NUMBER_MAX + 1])
{
	return numbers_carry_calling(f->way, addr->url, number);
}

static int put_asserted(const struct crossing_field *f, char *value, osip_message_t *out)
{
	return put_renumbered(f, value, out, renumber_caller);
}

static int carry_asserted(const struct crossing *way, unsigned privacy, const osip_message_t *msg,
	osip_message_t *out, bool begins)
{
	struct crossing_field f = {.name = "P-Asserted-Identity",
		.put = put_asserted,
		.way = way,
		/* The name goes with the number that the route has put another in the place of. */
		.drops_name = way->caller && (way->caller->number || way->caller->name)};
	unsigned count = 0;
	int ret = 0;

	if (way->is_unnamed)
		return 0;
	/* RFC 3325 7: not to those outside the trust domain where the user asked for that. */
	if (way->to->identity.asserted == ASSERTED_STRIP ||
		((privacy & PRIVACY_ID) && !way->to->identity.trusted))
		return 0;
	if (way->from->identity.trusted) {
		ret = for_values(&f, msg, out, &count);
		if (!ret && !count) {
			/* 9.2: what the user would like to be called. */
			f.name = "P-Preferred-Identity";
			f.as = "P-Asserted-Identity";
			ret = for_values(&f, msg, out, &count);
		}
	}
	if (!ret && begins && way->to->identity.asserted == ASSERTED_ALWAYS &&
		!header_value(out, "P-Asserted-Identity"))
		ret = assert_from(out);
	return ret;
}

/* Somebody on the way of the call, who has diverted or referred it: a subscriber as a caller is, so
 * that the calling rules apply, which know the numbers of subscribers in full, and not the called
 * ones, which know what is dialled. */
static int renumber_party(
	const struct crossing_field *f, const osip_from_t *addr, char number[CALL_NUMBER_MAX + 1])
{
	return numbers_carry_party(f->way, addr->url, number);
}

static int put_party(const struct crossing_field *f, char *value, osip_message_t *out)
{
	return put_renumbered(f, value, out, renumber_party);
}

/* The last entry of a History-Info is the Request-URI itself (RFC 7044 9.2): it stays that. */
static int renumber_target(
	const struct crossing_field *f, const osip_from_t *addr, char number[CALL_NUMBER_MAX + 1])
{
	char came[CALL_NUMBER_MAX + 1];

	if (MSG_IS_REQUEST(f->msg) && MSG_IS_REQUEST(f->out) &&
		number_of(f->msg->req_uri, came) == 0 && number_of(addr->url, number) == 0 &&
		strcmp(came, number) == 0)
		return number_of(f->out->req_uri, number);
	return renumber_party(f, addr, number);
}

/* RFC 7044 10.1: an entry may ask for itself not to be told, in a header field of its URI. */
static bool is_private(const struct crossing_field *f, const char *value)
{
	const char *s = strcasestr(value, "privacy=");
	const char *word = s ? strcasestr(s, "history") : NULL;

	return !f->way->to->identity.trusted && word && word < s + strcspn(s, "&>");
}

static int put_history(const struct crossing_field *f, char *value, osip_message_t *out)
{
	return is_private(f, value) ? 0 : put_renumbered(f, value, out, renumber_target);
}

static int carry_history(const struct crossing *way, unsigned privacy, const osip_message_t *msg,
	osip_message_t *out)
{
	struct crossing_field history = {
		.name = "History-Info", .put = put_history, .way = way, .msg = msg, .out = out};
	struct crossing_field diversion = {.name = "Diversion", .put = put_party, .way = way};
	unsigned count;
	int ret;

	/* Who would have its header fields or the session private has its way so, too: RFC
	 * 4244 3.2. */
	if (!way->to->identity.history || !way->from->identity.trusted ||
		((privacy & (PRIVACY_HISTORY | PRIVACY_HEADER | PRIVACY_SESSION)) &&
			!way->to->identity.trusted))
		return 0;
	ret = for_values(&history, msg, out, &count);
	return ret ? ret : for_values(&diversion, msg, out, &count);
}

static int put_as_it_is(const struct crossing_field *f, char *value, osip_message_t *out)
{
	return osip_message_set_header(out, f->name, value) ? -ENOMEM : 0;
}

const char *identity_host(
	const struct calls *calls, const struct peer_config *to, unsigned listener)
{
	return to->identity.domain ? to->identity.domain : sip_listener_host(calls->sip, listener);
}

const struct caller_config *identity_caller(const struct call *call)
{
	const struct route_result *r = &call->route;
	const struct route_config *route =
		call->attempt < r->candidate_count ? r->candidate[call->attempt].route : r->route;

	return route ? &route->caller : NULL;
}

bool identity_is_hidden(const struct call *call, enum leg leg)
{
	const struct caller_config *caller = identity_caller(call);

	return call->unnamed[leg] ||
	       (leg == LEG_A &&
		       (call->sent.anonymous || (caller && (caller->number || caller->name))));
}

void identity_keep(struct crossing *way, const struct call *call, enum leg from)
{
	way->is_unnamed = call->unnamed[from];
	if (from != LEG_A)
		return;
	way->caller = identity_caller(call);
	way->withhold = call->sent.anonymous;
}

int identity_carry(const struct crossing *way, const osip_message_t *msg, osip_message_t *out)
{
	const struct identity_config *to = &way->to->identity;
	bool begins = MSG_IS_REQUEST(out) && MSG_IS_INVITE(out) && !sip_tag(out->to)[0];
	/* RFC 3325 9.3: a suppressed caller is one that has asked for it. */
	unsigned privacy = privacy_of(msg) | (way->withhold ? PRIVACY_ID : 0), count;
	struct crossing_field f = {.way = way};
	int ret = 0;

	if (way->withhold || way->is_unnamed || ((privacy & PRIVACY_USER) && !to->trusted)) {
		withhold_details(out);
		ret = begins ? withhold_caller(out) : 0;
	} else if (way->caller && way->caller->number) {
		withhold_signed(out);
	}
	if (!ret)
		ret = carry_asserted(way, privacy, msg, out, begins);
	if (!ret)
		ret = carry_history(way, privacy, msg, out);
	/* Within the call, who refers is the caller. */
	if (!ret && to->referred_by && way->from->identity.trusted && !way->is_unnamed &&
		(begins || !way->withhold || to->trusted)) {
		f.name = "Referred-By";
		f.compact = "b";
		f.put = put_party;
		ret = for_values(&f, msg, out, &count);
	}
	if (!ret && to->user_to_user) {
		f.name = "User-to-User";
		f.compact = NULL;
		f.put = put_as_it_is;
		ret = for_values(&f, msg, out, &count);
	}
	return ret ? ret : put_privacy(privacy, way, out);
}
