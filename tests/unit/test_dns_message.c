/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers of nameservers, byte by byte: what cannot be right is refused, and nothing is read beyond
 * the end (the sanitizers look). */
#include "test_dns_server.h"

#include <errno.h>

#define MUTATIONS 40000

/* The answer to a query for name and type, on the heap, so that a byte too far is seen. */
static uint8_t *make_answer(struct server *s, const char *name, unsigned type, unsigned *len)
{
	uint8_t query[512] = {0x12, 0x34, 1, 0, 0, 1}, *out = malloc(SERVER_BYTES_MAX), *fit;
	unsigned n = 12 + put_name(query + 12, name);

	put16(query + n, type);
	put16(query + n + 2, 1);
	*len = server_answer(s, query, n + 4, out, true);
	fit = malloc(*len);
	memcpy(fit, out, *len);
	free(out);
	return fit;
}

static void fill(struct server *s)
{
	memset(s, 0, sizeof(*s));
	s->negative_ttl_s = 77;
	add_cname(s, "alias.test", 30, "sip.test");
	add_a(s, "sip.test", 60, "10.0.0.1");
	add_a(s, "sip.test", 50, "10.0.0.2");
	add_aaaa(s, "sip.test", 60, "2001:db8::1");
	add_srv(s, "_sip._udp.sip.test", 60, 1, 2, 5060, "a.test");
	add_naptr(s, "sip.test", 60, 10, 20, "s", "SIP+D2U", "", "_sip._udp.sip.test");
	add_naptr(s, "sip.test", 60, 10, 20, "u", "E2U+sip", "!a!b!", "");
	add_naptr(s, "sip.test", 60, 10, 20, "much-too-long", "a-service-nobody-knows", "", "x");
}

static int read_answer(struct message *m, struct server *s, const char *name, unsigned type)
{
	unsigned len;
	uint8_t *buf = make_answer(s, name, type, &len);
	int ret = message_read(m, buf, len, name, (enum message_type)type);

	free(buf);
	return ret;
}

static void each_type_is_read(void **state)
{
	struct server *s = malloc(sizeof(*s));
	struct message *m = malloc(sizeof(*m));

	(void)state;
	fill(s);
	assert_int_equal(read_answer(m, s, "alias.test", MESSAGE_A), 0);
	assert_int_equal(m->count, 2);
	assert_int_equal(m->ttl_s, 30);
	assert_int_equal(m->record[1].address.ip[3], 2);
	assert_int_equal(read_answer(m, s, "SIP.test", MESSAGE_AAAA), 0);
	assert_int_equal(m->count, 1);
	assert_int_equal(m->record[0].address.family, 6);
	assert_int_equal(read_answer(m, s, "_sip._udp.sip.test", MESSAGE_SRV), 0);
	assert_int_equal(m->record[0].priority, 1);
	assert_int_equal(m->record[0].weight, 2);
	assert_int_equal(m->record[0].port, 5060);
	assert_string_equal(m->record[0].target, "a.test");
	assert_int_equal(read_answer(m, s, "sip.test", MESSAGE_NAPTR), 0);
	assert_int_equal(m->count, 3);
	assert_string_equal(m->record[0].service, "SIP+D2U");
	assert_string_equal(m->record[0].target, "_sip._udp.sip.test");
	assert_string_equal(m->record[1].service, ""); /* it has a regular expression */
	assert_string_equal(m->record[2].flags, "");
	assert_string_equal(m->record[2].service, "");
	assert_int_equal(read_answer(m, s, "none.test", MESSAGE_A), 0);
	assert_int_equal(m->count, 0);
	assert_int_equal(m->negative_ttl_s, 77);
	free(m);
	free(s);
}

static void records_of_another_name_are_not_taken(void **state)
{
	struct server *s = malloc(sizeof(*s));
	struct message *m = malloc(sizeof(*m));
	unsigned len;
	uint8_t *buf;

	(void)state;
	fill(s);
	buf = make_answer(s, "sip.test", MESSAGE_A, &len);
	assert_int_equal(message_read(m, buf, len, "evil.test", MESSAGE_A), 0);
	assert_int_equal(m->count, 0);
	free(buf);
	free(m);
	free(s);
}

static void an_answer_that_ends_too_early_is_refused(void **state)
{
	static const struct {
		const char *name;
		unsigned type;
	} one[] = {{"alias.test", MESSAGE_A}, {"sip.test", MESSAGE_AAAA},
		{"_sip._udp.sip.test", MESSAGE_SRV}, {"sip.test", MESSAGE_NAPTR}};
	struct server *s = malloc(sizeof(*s));
	struct message *m = malloc(sizeof(*m));

	(void)state;
	fill(s);
	for (unsigned i = 0; i < sizeof(one) / sizeof(one[0]); i++) {
		unsigned len;
		uint8_t *buf = make_answer(s, one[i].name, one[i].type, &len);

		for (unsigned n = 0; n < len; n++) {
			uint8_t *cut = malloc(n ? n : 1);

			memcpy(cut, buf, n);
			assert_int_equal(message_read(m, cut, n, one[i].name,
						 (enum message_type)one[i].type),
				-EBADMSG);
			free(cut);
		}
		free(buf);
	}
	free(m);
	free(s);
}

static void no_answer_is_believed_beyond_its_bytes(void **state)
{
	static const unsigned types[] = {MESSAGE_A, MESSAGE_AAAA, MESSAGE_NAPTR, MESSAGE_SRV};
	struct server *s = malloc(sizeof(*s));
	struct message *m = malloc(sizeof(*m));

	(void)state;
	fill(s);
	srand(1);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		unsigned type = types[i % 4], len;
		const char *name = type == MESSAGE_SRV ? "_sip._udp.sip.test"
				   : i & 4             ? "alias.test"
						       : "sip.test";
		uint8_t *buf = make_answer(s, name, type, &len);

		for (int j = rand() % 6; j >= 0; j--)
			buf[(unsigned)rand() % len] = (uint8_t)(rand() % 3 ? rand() : 0xc0);
		if (message_read(m, buf, len, name, (enum message_type)type) == 0) {
			assert_in_range(m->count, 0, MESSAGE_RECORDS_MAX);
			for (unsigned k = 0; k < m->count; k++)
				assert_in_range(strlen(m->record[k].target), 0, DNS_HOST_MAX);
		}
		free(buf);
	}
	free(m);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_type_is_read),
		cmocka_unit_test(records_of_another_name_are_not_taken),
		cmocka_unit_test(an_answer_that_ends_too_early_is_refused),
		cmocka_unit_test(no_answer_is_believed_beyond_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
