/* SPDX-License-Identifier: BSD-2-Clause */
/* How large the program is, and what it costs the kernel's verifier: at most a quarter of the
 * million instructions at which kernels refuse a program. `make bench` prints both. */
#include <bpf/bpf.h>

#include "scene.h"

#define VERIFIED_MAX 250000 /* instructions that the verifier looked at, on every path together */
#define XLATED_MAX   32768  /* bytes, as the kernel has rewritten it */

static struct bpf_prog_info program_info(const struct lab *lab)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(lab->program, &info, &len), 0);
	return info;
}

static void program_stays_within_its_bounds(void **state)
{
	struct bpf_prog_info info = program_info(*state);

	print_message("%u bytes, %u compiled; the verifier looked at %u instructions\n",
		info.xlated_prog_len, info.jited_prog_len, info.verified_insns);
	assert_in_range(info.xlated_prog_len, 1, XLATED_MAX);
	assert_in_range(info.verified_insns, 1, VERIFIED_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_stays_within_its_bounds),
	};

	return cmocka_run_group_tests_name("bpf size", tests, lab_setup, lab_teardown);
}
