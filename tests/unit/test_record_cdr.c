/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of records: those put together by hand are those that the library makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "record/cdr.h"

#define SETUP_MS 1764153855123u

static void the_line_of_a_refusal_is_what_the_line_of_a_call_would_be(void **state)
{
	static const char *const odd[] = {
		"2001", "", "a\"b\\c\td", "f\xc3\xbcr", "\xff\"\xfe", "sip\x7f/<>&"};

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		struct call_record record = {.from = odd[i],
			.to = "+4930112233",
			.peer = "pbx",
			.route = "",
			.setup_ms = SETUP_MS,
			.end_ms = SETUP_MS + i,
			.code = 503,
			.ended_by = "viaduct",
			.why = "overload"};
		char *by_hand, *by_library;

		record.leg[0].peer = "pbx";
		record.leg[0].sip_call_id = odd[i];
		record.leg[0].remote_tag = odd[i];
		if (i)
			assert_int_equal(
				addr_parse(&record.leg[0].signalling, "[fd10::2]:5060", 0), 0);
		by_hand = cdr_refusal_line(&record);
		by_library = cdr_call_line(&record);
		assert_non_null(by_hand);
		assert_string_equal(by_hand, by_library);
		free(by_hand);
		/* It is the way that such a record takes. */
		by_hand = cdr_line(&record);
		assert_string_equal(by_hand, by_library);
		free(by_hand);
		free(by_library);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_of_a_refusal_is_what_the_line_of_a_call_would_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
