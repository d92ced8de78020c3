/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <bpf/libbpf.h>

#include "dataplane/load_failure.h"
#include "viaduct_xdp.h"

#include "viaduct.skel.h"

static enum bpf_map_type missing_map;
static enum bpf_func_id missing_helper;

static int fake_map_type(enum bpf_map_type type, const void *opts)
{
	(void)opts;
	return type != missing_map;
}

static int fake_helper(enum bpf_prog_type program, enum bpf_func_id id, const void *opts)
{
	(void)opts;
	assert_int_equal(program, BPF_PROG_TYPE_XDP);
	return id != missing_helper;
}

static int nobody_knows(enum bpf_map_type type, const void *opts)
{
	(void)type;
	(void)opts;
	return -1;
}

static const struct kernel_probe fake = {fake_map_type, fake_helper};

static void what_a_kernel_lacks_is_named_with_the_linux_that_has_it(void **state)
{
	char text[LOAD_FAILURE_MAX];

	(void)state;
	missing_map = BPF_MAP_TYPE_UNSPEC;
	missing_helper = BPF_FUNC_unspec;
	assert_false(load_failure_lacks(&fake, text));
	missing_helper = BPF_FUNC_xdp_load_bytes;
	assert_true(load_failure_lacks(&fake, text));
	assert_string_equal(
		text, "the kernel has no bpf_xdp_load_bytes (needs Linux 5.18 or newer)");
	missing_map = BPF_MAP_TYPE_RINGBUF;
	assert_true(load_failure_lacks(&fake, text));
	assert_string_equal(
		text, "the kernel has no BPF_MAP_TYPE_RINGBUF (needs Linux 5.8 or newer)");
}

static void what_nobody_knows_is_not_said_to_be_missing(void **state)
{
	const struct kernel_probe probe = {nobody_knows, fake_helper};
	char text[LOAD_FAILURE_MAX];

	(void)state;
	missing_helper = BPF_FUNC_unspec;
	assert_false(load_failure_lacks(&probe, text));
}

/* Of the program as it is built in, before any kernel has seen it. */
static void everything_that_the_program_uses_is_looked_for(void **state)
{
	struct viaduct_bpf *skel = viaduct_bpf__open();
	const struct bpf_insn *insn;
	struct bpf_program *program;
	struct bpf_map *map;
	unsigned calls = 0;

	(void)state;
	assert_non_null(skel);
	bpf_object__for_each_map(map, skel->obj)
	{
		assert_true(load_failure_knows_map_type(bpf_map__type(map)));
	}
	bpf_object__for_each_program(program, skel->obj)
	{
		insn = bpf_program__insns(program);
		for (size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
			if (insn[i].code != (BPF_JMP | BPF_CALL) || insn[i].src_reg)
				continue;
			calls++;
			assert_true(load_failure_knows_helper((enum bpf_func_id)insn[i].imm));
		}
	}
	assert_true(calls > 0);
	viaduct_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_kernel_lacks_is_named_with_the_linux_that_has_it),
		cmocka_unit_test(what_nobody_knows_is_not_said_to_be_missing),
		cmocka_unit_test(everything_that_the_program_uses_is_looked_for),
	};

	return cmocka_run_group_tests_name("dataplane load failures", tests, NULL, NULL);
}
