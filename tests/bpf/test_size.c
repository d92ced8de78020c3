/* SPDX-License-Identifier: BSD-2-Clause */
/* How large the programs are, and what each costs the kernel's verifier: at most a quarter of the
 * million instructions at which kernels refuse a program. `make bench` prints both of the first. */
#include <bpf/bpf.h>

#include "scene.h"

#include "viaduct.skel.h"

#define VERIFIED_MAX 250000 /* instructions that the verifier looked at, on every path together */
#define XLATED_MAX   32768  /* bytes, as the kernel has rewritten it */

static struct bpf_prog_info program_info(int program)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(program, &info, &len), 0);
	return info;
}

static void stays_within_its_bounds(int program)
{
	struct bpf_prog_info info = program_info(program);

	print_message("%u bytes, %u compiled; the verifier looked at %u instructions\n",
		info.xlated_prog_len, info.jited_prog_len, info.verified_insns);
	assert_in_range(info.xlated_prog_len, 1, XLATED_MAX);
	assert_in_range(info.verified_insns, 1, VERIFIED_MAX);
}

static void program_stays_within_its_bounds(void **state)
{
	const struct lab *lab = *state;

	stays_within_its_bounds(lab->program);
}

static void program_for_packets_that_waited_stays_within_its_bounds(void **state)
{
	const struct lab *lab = *state;

	stays_within_its_bounds(bpf_program__fd(lab->bpf->progs.viaduct_finish));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_stays_within_its_bounds),
		cmocka_unit_test(program_for_packets_that_waited_stays_within_its_bounds),
	};

	/* With all that a configuration can ask for. */
	return cmocka_run_group_tests_name("bpf size", tests, lab_setup_guessing, lab_teardown);
}
