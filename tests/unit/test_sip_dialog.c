/* SPDX-License-Identifier: BSD-2-Clause */
/* Dialogs (RFC 3261 12): what is learned from the messages that make them, and what is written into
 * the requests they give. */
#include "test_sip_loopback.h"

#include "sip/dialog.h"

#define TAG "0123456789abcdef"

static osip_message_t *parse(const char *text)
{
	osip_message_t *msg = NULL;

	assert_int_equal(osip_message_init(&msg), 0);
	assert_int_equal(osip_message_parse(msg, text, strlen(text)), 0);
	return msg;
}

static void open_world(struct world *w)
{
	world_open(w);
	assert_int_equal(addr_parse(&w->peer.address, "192.0.2.7:5070", 0), 0);
	w->peer.source[0].net = w->peer.address;
	w->peer.source[0].net.port = 0;
	w->peer.source[0].prefix_len = 32;
	w->peer.source_count = 1;
}

/* As the UAC, from our INVITE and this response. */
static int uac(struct world *w, struct dialog *d, const char *code, const char *headers)
{
	char text[16384];
	struct sip_dest dest = {.remote = w->peer.address};
	osip_message_t *req, *resp;
	int ret;

	req = parse(
		"INVITE sip:2@192.0.2.7 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
		"From: \"One\" <sip:1@192.0.2.1>;tag=" TAG "\r\nTo: <sip:2@192.0.2.7>\r\n"
		"Call-ID: a@b\r\nCSeq: 5 INVITE\r\n\r\n");
	snprintf(text, sizeof(text),
		"SIP/2.0 %s Fine\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
		"From: \"One\" <sip:1@192.0.2.1>;tag=" TAG "\r\nTo: <sip:2@192.0.2.7>;tag=x\r\n"
		"Call-ID: a@b\r\nCSeq: 5 INVITE\r\n%s\r\n",
		code, headers);
	resp = parse(text);
	ret = dialog_init_uac(d, w->sip, req, resp, &dest, &w->peer);
	osip_message_free(req);
	osip_message_free(resp);
	return ret;
}

static osip_message_t *response(const char *headers)
{
	char text[16384];

	snprintf(text, sizeof(text),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
		"From: <sip:1@192.0.2.1>;tag=" TAG "\r\nTo: <sip:2@192.0.2.7>;tag=x\r\n"
		"Call-ID: a@b\r\nCSeq: 5 INVITE\r\n%s\r\n",
		headers);
	return parse(text);
}

/* A request of the dialog as text, without what the dialog does not write. */
static const char *request_of(struct world *w, struct dialog *d, const char *method)
{
	static char out[16384];
	osip_message_t *msg = NULL;
	char *text = NULL;
	size_t len;

	if (strcmp(method, "ACK") == 0)
		assert_int_equal(dialog_ack(d, w->sip, 5, &msg), 0);
	else
		assert_int_equal(dialog_request(d, w->sip, method, &msg), 0);
	assert_int_equal(osip_message_to_str(msg, &text, &len), 0);
	snprintf(out, sizeof(out), "%s", text);
	osip_free(text);
	osip_message_free(msg);
	return out;
}

static void has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("expected '%s' in:\n%s", part, text);
}

static void lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("expected no '%s' in:\n%s", part, text);
}

static void expect_dest(const struct dialog *d, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	assert_string_equal(addr_print(&d->dest.remote, buf), text);
}

static void a_uac_counts_on_from_its_invite(void **state)
{
	struct world w;
	struct dialog d;
	const char *text;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:two@192.0.2.7:5088>\r\n"), 0);
	text = request_of(&w, &d, "ACK");
	has(text, "ACK sip:two@192.0.2.7:5088 SIP/2.0\r\n");
	has(text, "CSeq: 5 ACK\r\n");
	text = request_of(&w, &d, "INFO");
	has(text, "CSeq: 6 INFO\r\n");
	has(text, "From: \"One\" <sip:1@192.0.2.1>;tag=" TAG "\r\n");
	has(text, "To: <sip:2@192.0.2.7>;tag=x\r\n");
	has(text, "Call-ID: a@b\r\n");
	has(text, "Contact: <sip:127.0.0.1:");
	text = request_of(&w, &d, "BYE");
	has(text, "CSeq: 7 BYE\r\n");
	lacks(text, "Contact:");
	dialog_clear(&d);
	world_close(&w);
}

static void the_route_set_of_a_uac_is_reversed(void **state)
{
	struct world w;
	struct dialog d;
	const char *text, *p, *q;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "200",
				 "Contact: <sip:two@10.9.9.9>\r\n"
				 "Record-Route: <sip:far.example;lr>\r\n"
				 "Record-Route: <sip:192.0.2.7:5099;lr>\r\n"),
		0);
	text = request_of(&w, &d, "BYE");
	has(text, "BYE sip:two@10.9.9.9 SIP/2.0\r\n");
	p = strstr(text, "Route: <sip:192.0.2.7:5099;lr>");
	q = strstr(text, "Route: <sip:far.example;lr>");
	assert_true(p && q && p < q);
	expect_dest(&d, "192.0.2.7:5099");
	dialog_clear(&d);
	world_close(&w);
}

static void a_strict_router_is_named_in_the_request_uri(void **state)
{
	struct world w;
	struct dialog d;
	const char *text, *p, *q;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "200",
				 "Contact: <sip:two@10.9.9.9>\r\n"
				 "Record-Route: <sip:second.example;lr>\r\n"
				 "Record-Route: <sip:192.0.2.7:5099>\r\n"),
		0);
	text = request_of(&w, &d, "BYE");
	has(text, "BYE sip:192.0.2.7:5099 SIP/2.0\r\n");
	lacks(text, "Route: <sip:192.0.2.7:5099>");
	p = strstr(text, "Route: <sip:second.example;lr>");
	q = strstr(text, "Route: <sip:two@10.9.9.9>");
	assert_true(p && q && p < q);
	dialog_clear(&d);
	world_close(&w);
}

static void a_route_set_without_end_makes_no_dialog(void **state)
{
	char many[2048] = "Contact: <sip:two@192.0.2.7>\r\n", one[64];
	struct world w;
	struct dialog d;

	(void)state;
	open_world(&w);
	for (unsigned i = 0; i < DIALOG_ROUTES_MAX; i++) {
		snprintf(one, sizeof(one), "Record-Route: <sip:r%u.example;lr>\r\n", i);
		strcat(many, one);
	}
	assert_int_equal(uac(&w, &d, "200", many), 0);
	dialog_clear(&d);
	strcat(many, "Record-Route: <sip:more.example;lr>\r\n");
	assert_int_equal(uac(&w, &d, "200", many), -EINVAL);
	world_close(&w);
}

static void a_2xx_sets_the_routes_of_an_early_dialog_anew(void **state)
{
	struct world w;
	struct dialog d;
	osip_message_t *resp;
	const char *text;

	(void)state;
	open_world(&w);
	assert_int_equal(
		uac(&w, &d, "183",
			"Contact: <sip:two@192.0.2.7>\r\nRecord-Route: <sip:a.example;lr>\r\n"),
		0);
	resp = response(
		"Contact: <sip:other@192.0.2.7:5071>\r\nRecord-Route: <sip:b.example;lr>\r\n");
	assert_int_equal(dialog_take_response(&d, resp), 0);
	osip_message_free(resp);
	text = request_of(&w, &d, "BYE");
	has(text, "BYE sip:other@192.0.2.7:5071 SIP/2.0");
	has(text, "Route: <sip:b.example;lr>");
	lacks(text, "a.example");
	/* No Record-Route at all: no routes any more. */
	resp = response("Contact: <sip:other@192.0.2.7:5071>\r\n");
	assert_int_equal(dialog_take_response(&d, resp), 0);
	osip_message_free(resp);
	lacks(request_of(&w, &d, "BYE"), "Route:");
	expect_dest(&d, "192.0.2.7:5071");
	dialog_clear(&d);
	world_close(&w);
}

static void requests_go_to_addresses_of_the_peer_alone(void **state)
{
	static const struct {
		const char *contact, *dest;
	} cases[] = {
		{"sip:2@192.0.2.7:5088", "192.0.2.7:5088"},
		{"sip:2@192.0.2.7", "192.0.2.7:5060"},
		{"sip:2@10.1.2.3:5088", "192.0.2.7:5070"},       /* not configured */
		{"sip:2@pbx.example", "192.0.2.7:5070"},         /* a name */
		{"sip:2@[2001:db8::7]", "192.0.2.7:5070"},       /* the other family */
		{"sip:2@192.0.2.7:99999", "192.0.2.7:5070"},     /* no port */
		{"sip:2@198.51.100.200", "198.51.100.200:5060"}, /* a further source */
		{"tel:+123", "192.0.2.7:5070"},
	};
	struct world w;

	(void)state;
	open_world(&w);
	assert_int_equal(addr_parse_prefix(&w.peer.source[1].net, &w.peer.source[1].prefix_len,
				 "198.51.100.0/24"),
		0);
	w.peer.source_count = 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char contact[128];
		struct dialog d;

		snprintf(contact, sizeof(contact), "Contact: <%s>\r\n", cases[i].contact);
		assert_int_equal(uac(&w, &d, "200", contact), 0);
		expect_dest(&d, cases[i].dest);
		dialog_clear(&d);
	}
	world_close(&w);
}

/* The name "itsp" stands for 192.0.2.7 and 192.0.2.8. */
static const char *itsp_sources(
	void *ctx, const struct addr *source, unsigned listener, unsigned index, bool *leaving)
{
	(void)ctx;
	*leaving = false;
	return listener == 0 && index == 0 && source->ip[0] == 192 &&
			       (source->ip[3] == 7 || source->ip[3] == 8)
		       ? "itsp"
		       : NULL;
}

static void a_peer_with_a_host_name_stays_where_its_dialog_began(void **state)
{
	static const struct {
		const char *contact, *dest;
	} cases[] = {
		{"sip:2@sbc.itsp.test:5099", "192.0.2.7:5070"}, /* not looked up */
		{"sip:2@192.0.2.8:5088", "192.0.2.8:5088"},
		{"sip:2@192.0.2.9:5088", "192.0.2.7:5070"}, /* the name does not stand for it */
	};
	struct world w;
	struct dialog d;
	char text[128];

	(void)state;
	open_world(&w);
	assert_int_equal(addr_parse(&w.peer.address, "192.0.2.7:5070", 0), 0);
	w.peer.name = (char *)"itsp";
	w.peer.host = (char *)"itsp.test";
	w.peer.source_count = 0;
	sip_set_named_sources(w.sip, itsp_sources, NULL);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "Contact: <%s>\r\n", cases[i].contact);
		assert_int_equal(uac(&w, &d, "200", text), 0);
		expect_dest(&d, cases[i].dest);
		dialog_clear(&d);
	}
	world_close(&w);
}

static void an_ipv6_target_is_reached(void **state)
{
	struct world w;
	struct dialog d;

	(void)state;
	open_world(&w);
	assert_int_equal(addr_parse(&w.peer.address, "[2001:db8::7]:5070", 0), 0);
	w.peer.source[0].net = w.peer.address;
	w.peer.source[0].net.port = 0;
	w.peer.source[0].prefix_len = 128;
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:2@[2001:db8::7]:5088>\r\n"), 0);
	expect_dest(&d, "[2001:db8::7]:5088");
	has(request_of(&w, &d, "BYE"), "BYE sip:2@[2001:db8::7]:5088 SIP/2.0");
	dialog_clear(&d);
	world_close(&w);
}

static void a_target_that_asks_for_tcp_gets_it(void **state)
{
	struct world w;
	struct dialog d;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:2@192.0.2.7;transport=TCP>\r\n"), 0);
	assert_true(d.dest.over_tcp);
	dialog_clear(&d);
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:2@10.0.0.1;transport=tcp>\r\n"), 0);
	assert_false(d.dest.over_tcp);
	dialog_clear(&d);
	world_close(&w);
}

static void header_fields_in_a_contact_stay_out_of_requests(void **state)
{
	struct world w;
	struct dialog d;
	const char *text;

	(void)state;
	open_world(&w);
	assert_int_equal(
		uac(&w, &d, "200",
			"Contact: <sip:2@192.0.2.7;x=y?Route=%3Csip:evil%3E&Subject=a>\r\n"),
		0);
	text = request_of(&w, &d, "BYE");
	has(text, "BYE sip:2@192.0.2.7;x=y SIP/2.0\r\n");
	lacks(text, "evil");
	dialog_clear(&d);
	world_close(&w);
}

static void without_a_usable_contact_the_request_uri_serves(void **state)
{
	struct world w;
	struct dialog d;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "180", ""), 0);
	has(request_of(&w, &d, "PRACK"), "PRACK sip:2@192.0.2.7 SIP/2.0");
	dialog_clear(&d);
	assert_int_equal(uac(&w, &d, "200", ""), 0);
	has(request_of(&w, &d, "ACK"), "ACK sip:2@192.0.2.7 SIP/2.0");
	dialog_clear(&d);
	assert_int_equal(uac(&w, &d, "200", "Contact: <cip:2@192.0.2.7>\r\n"), 0);
	has(request_of(&w, &d, "ACK"), "ACK sip:2@192.0.2.7 SIP/2.0");
	dialog_clear(&d);
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:3@192.0.2.7;a=b c>\r\n"), 0);
	has(request_of(&w, &d, "ACK"), "ACK sip:");
	assert_null(strstr(request_of(&w, &d, "ACK"), " c SIP/2.0"));
	dialog_clear(&d);
	world_close(&w);
}

static void a_refresh_without_contact_changes_nothing(void **state)
{
	struct world w;
	struct dialog d;
	osip_message_t *resp;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:2@192.0.2.7:5088>\r\n"), 0);
	resp = response("");
	assert_int_equal(dialog_refresh_target(&d, resp), 0);
	osip_message_free(resp);
	expect_dest(&d, "192.0.2.7:5088");
	resp = response("Contact: <sip:2@192.0.2.7:5089>\r\n");
	assert_int_equal(dialog_refresh_target(&d, resp), 0);
	osip_message_free(resp);
	expect_dest(&d, "192.0.2.7:5089");
	dialog_clear(&d);
	world_close(&w);
}

static void cseq_only_grows(void **state)
{
	static const struct {
		unsigned cseq;
		bool taken;
	} cases[] = {{7, true}, {7, false}, {6, false}, {8, true}, {2147483647, true}, {9, false}};
	struct world w;
	struct dialog d;

	(void)state;
	open_world(&w);
	assert_int_equal(uac(&w, &d, "200", "Contact: <sip:2@192.0.2.7>\r\n"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		osip_message_t *req =
			parse(request_text(&w, "INFO", "z9hG4bKb", cases[i].cseq, ""));

		assert_int_equal(dialog_take_cseq(&d, req), cases[i].taken);
		osip_message_free(req);
	}
	dialog_clear(&d);
	world_close(&w);
}

/* As the UAS of an INVITE with these header fields. */
static int uas(struct world *w, struct dialog *d, const char *from, const char *headers)
{
	static unsigned n;
	char text[16384];
	unsigned before = w->requests;

	n++;
	snprintf(text, sizeof(text),
		"INVITE sip:100@127.0.0.1 SIP/2.0\r\n"
		"Via: SIP/2.0/UDP 127.0.0.1:%u;branch=z9hG4bKuas%u\r\n"
		"From: %s\r\nTo: \"We\" <sip:100@127.0.0.1>\r\nCall-ID: c%u@d\r\n"
		"CSeq: 9 INVITE\r\n%sContent-Length: 0\r\n\r\n",
		w->peer_addr.port, n, from, n, headers);
	peer_send(w, text);
	assert_int_equal(w->requests, before + 1);
	return dialog_init_uas(d, w->request[before % REQUESTS_KEPT], TAG);
}

static void a_uas_takes_the_routes_in_order(void **state)
{
	struct world w;
	struct dialog d;
	const char *text, *p, *q;

	(void)state;
	world_open(&w);
	assert_int_equal(uas(&w, &d, "<sip:1@127.0.0.1>;tag=them",
				 "Contact: <sip:one@10.9.9.9>\r\n"
				 "Record-Route: <sip:near.example;lr>, <sip:far.example;lr>\r\n"),
		0);
	text = request_of(&w, &d, "BYE");
	has(text, "BYE sip:one@10.9.9.9 SIP/2.0\r\n");
	has(text, "CSeq: 1 BYE\r\n");
	has(text, "From: \"We\" <sip:100@127.0.0.1>;tag=" TAG "\r\n");
	has(text, "To: <sip:1@127.0.0.1>;tag=them\r\n");
	p = strstr(text, "Route: <sip:near.example;lr>");
	q = strstr(text, "Route: <sip:far.example;lr>");
	assert_true(p && q && p < q);
	dialog_clear(&d);
	world_close(&w);
}

static void a_peer_without_a_tag_is_spoken_to_without(void **state)
{
	struct world w;
	struct dialog d;

	(void)state;
	world_open(&w);
	assert_int_equal(uas(&w, &d, "<sip:1@127.0.0.1>", "Contact: <sip:1@127.0.0.1>\r\n"), 0);
	has(request_of(&w, &d, "BYE"), "To: <sip:1@127.0.0.1>\r\n");
	dialog_clear(&d);
	world_close(&w);
}

static void what_is_too_long_or_missing_makes_no_dialog(void **state)
{
	char name[DIALOG_URI_MAX + 1], text[1024];
	struct world w;
	struct dialog d;

	(void)state;
	world_open(&w);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(uas(&w, &d, "<sip:1@127.0.0.1>;tag=a", ""), -EINVAL);
	snprintf(text, sizeof(text), "Contact: <sip:%s@127.0.0.1>\r\n", name);
	assert_int_equal(uas(&w, &d, "<sip:1@127.0.0.1>;tag=a", text), -EINVAL);
	snprintf(text, sizeof(text), "<sip:%s@127.0.0.1>;tag=a", name);
	assert_int_equal(uas(&w, &d, text, "Contact: <sip:1@127.0.0.1>\r\n"), -EINVAL);
	snprintf(text, sizeof(text), "<sip:1@127.0.0.1>;tag=%.*s", DIALOG_REMOTE_TAG_MAX + 1, name);
	assert_int_equal(uas(&w, &d, text, "Contact: <sip:1@127.0.0.1>\r\n"), -EINVAL);
	/* As long as may be: every request still fits. */
	snprintf(text, sizeof(text), "<sip:%.*s@h>;tag=%.*s", DIALOG_URI_MAX - 8, name,
		DIALOG_REMOTE_TAG_MAX, name);
	assert_int_equal(uas(&w, &d, text, "Contact: <sip:1@127.0.0.1>\r\n"), 0);
	has(request_of(&w, &d, "BYE"), name + DIALOG_URI_MAX - DIALOG_REMOTE_TAG_MAX);
	dialog_clear(&d);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_uac_counts_on_from_its_invite),
		cmocka_unit_test(the_route_set_of_a_uac_is_reversed),
		cmocka_unit_test(a_strict_router_is_named_in_the_request_uri),
		cmocka_unit_test(a_route_set_without_end_makes_no_dialog),
		cmocka_unit_test(a_2xx_sets_the_routes_of_an_early_dialog_anew),
		cmocka_unit_test(requests_go_to_addresses_of_the_peer_alone),
		cmocka_unit_test(a_peer_with_a_host_name_stays_where_its_dialog_began),
		cmocka_unit_test(an_ipv6_target_is_reached),
		cmocka_unit_test(a_target_that_asks_for_tcp_gets_it),
		cmocka_unit_test(header_fields_in_a_contact_stay_out_of_requests),
		cmocka_unit_test(without_a_usable_contact_the_request_uri_serves),
		cmocka_unit_test(a_refresh_without_contact_changes_nothing),
		cmocka_unit_test(cseq_only_grows),
		cmocka_unit_test(a_uas_takes_the_routes_in_order),
		cmocka_unit_test(a_peer_without_a_tag_is_spoken_to_without),
		cmocka_unit_test(what_is_too_long_or_missing_makes_no_dialog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
