/* SPDX-License-Identifier: BSD-2-Clause */
/* Why the kernel does not take our program and its tables, in words for who starts the daemon.
 * Looked for once it has refused them: a start that succeeds asks nothing. */
#ifndef VIADUCT_DATAPLANE_LOAD_FAILURE_H
#define VIADUCT_DATAPLANE_LOAD_FAILURE_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#define LOAD_FAILURE_MAX 256

struct viaduct_bpf;

/* As libbpf_probe_bpf_*: 1 the kernel has it, 0 it has not, negative: nobody knows. */
struct kernel_probe {
	int (*map_type)(enum bpf_map_type type, const void *opts);
	int (*helper)(enum bpf_prog_type program, enum bpf_func_id id, const void *opts);
};
extern const struct kernel_probe kernel_probe; /* the kernel's own */

/* Writes what of the map types and helpers that the XDP program uses the kernel lacks, and which
 * Linux has it, the first one; false: nothing that is known. */
bool load_failure_lacks(const struct kernel_probe *probe, char text[LOAD_FAILURE_MAX]);
/* Whether what the program uses is looked for. */
bool load_failure_knows_map_type(enum bpf_map_type type);
bool load_failure_knows_helper(enum bpf_func_id id);

/* Writes which of the tables, opened and sized, finds no memory, how much it wants, and what makes
 * it smaller. They are made in order and given up again. false: all of them fit. */
bool load_failure_no_room(const struct viaduct_bpf *skel, char text[LOAD_FAILURE_MAX]);

#endif
