/* SPDX-License-Identifier: BSD-2-Clause */
/* profile DEVICE PID MS
 *
 * Where the first thread of process PID spends its time in the kernel, what softirqs do in its
 * stead included, by a sample each 100 us of it (no counters of the processor's are needed, which
 * virtual machines seldom have); for the XDP program that is attached to DEVICE, by the source file
 * that the sampled instruction came from. Prints one line of JSON:
 * {"samples":N,"instructions":{FILE:N},"program":{FILE:N},"functions":{NAME:N}}: the program's
 * instructions as they are loaded, samples in it by file, samples elsewhere by function. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

#define PERIOD_NS     100000
#define RING_PAGES    1024 /* a power of two: 260,000 samples, 26 seconds */
#define MS_MAX        20000
#define NAME_MAX_LEN  96
#define FUNCTIONS_MAX 64 /* of one program */

struct symbol {
	uint64_t address;
	char name[NAME_MAX_LEN];
	unsigned samples;
};

/* The device's, and the one that finishes packets which waited. */
#define PROGRAMS 2

struct program {
	struct bpf_prog_info info;
	struct bpf_line_info *lines;
	uint64_t *line_addresses; /* of each line, in the machine's code */
	uint64_t function[FUNCTIONS_MAX];
	uint32_t function_bytes[FUNCTIONS_MAX];
	struct btf *btf;
};

static struct symbol *symbols;
static unsigned symbol_count;

/* ---- names and numbers ---- */

struct tally {
	char name[NAME_MAX_LEN];
	unsigned count;
};

struct tallies {
	struct tally of[256];
	unsigned used;
};

static void tally(struct tallies *t, const char *name, unsigned count)
{
	for (unsigned i = 0; i < t->used; i++)
		if (strcmp(t->of[i].name, name) == 0) {
			t->of[i].count += count;
			return;
		}
	if (t->used == sizeof(t->of) / sizeof(*t->of))
		tool_fail(0, "too many source files");
	snprintf(t->of[t->used].name, NAME_MAX_LEN, "%s", name);
	t->of[t->used++].count = count;
}

static void tallies_print(const char *name, const struct tallies *t)
{
	printf(",\"%s\":{", name);
	for (unsigned i = 0; i < t->used; i++)
		printf("%s\"%s\":%u", i ? "," : "", t->of[i].name, t->of[i].count);
	printf("}");
}

/* ---- the kernel's functions ---- */

static int symbol_compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static void symbols_read(void)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned room = 0;
	char line[512];

	if (!f)
		tool_fail(-errno, "/proc/kallsyms");
	while (fgets(line, sizeof(line), f)) {
		unsigned long long address;
		char type, name[256];

		if (sscanf(line, "%llx %c %255s", &address, &type, name) != 3 ||
			(type != 't' && type != 'T'))
			continue;
		if (symbol_count == room) {
			room = room ? 2 * room : 1 << 16;
			symbols = realloc(symbols, room * sizeof(*symbols));
			if (!symbols)
				tool_fail(-ENOMEM, "symbols");
		}
		symbols[symbol_count].address = address;
		symbols[symbol_count].samples = 0;
		snprintf(symbols[symbol_count++].name, NAME_MAX_LEN, "%.95s", name);
	}
	fclose(f);
	qsort(symbols, symbol_count, sizeof(*symbols), symbol_compare);
}

static struct symbol *symbol_at(uint64_t address)
{
	unsigned low = 0, high = symbol_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (symbols[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &symbols[low - 1] : NULL;
}

/* ---- the program ---- */

static void *array_new(size_t count, size_t bytes)
{
	void *array = calloc(count ? count : 1, bytes);

	if (!array)
		tool_fail(-ENOMEM, "program");
	return array;
}

/* The device's; 0: no program is attached. */
static uint32_t program_attached(unsigned ifindex)
{
	uint32_t id = 0;

	return bpf_xdp_query_id((int)ifindex, 0, &id) ? 0 : id;
}

/* The youngest of that name; 0: there is none. */
static uint32_t program_named(const char *name)
{
	uint32_t id = 0, found = 0;

	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && strcmp(info.name, name) == 0)
			found = id;
		close(fd);
	}
	return found;
}

static void program_read(struct program *p, uint32_t id)
{
	struct bpf_prog_info sizes = {0};
	uint32_t len = sizeof(sizes);
	int fd;

	if (!id)
		return;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &sizes, &len))
		tool_fail(-errno, "cannot look at program %u", id);
	if (sizes.nr_jited_ksyms > FUNCTIONS_MAX)
		tool_fail(0, "program %u has too many functions", id);
	p->lines = array_new(sizes.nr_line_info, sizeof(*p->lines));
	p->line_addresses = array_new(sizes.nr_jited_line_info, sizeof(*p->line_addresses));
	p->info = (struct bpf_prog_info){
		.line_info = (uintptr_t)p->lines,
		.nr_line_info = sizes.nr_line_info,
		.line_info_rec_size = sizeof(*p->lines),
		.jited_line_info = (uintptr_t)p->line_addresses,
		.nr_jited_line_info = sizes.nr_jited_line_info,
		.jited_line_info_rec_size = sizeof(*p->line_addresses),
		.jited_ksyms = (uintptr_t)p->function,
		.nr_jited_ksyms = sizes.nr_jited_ksyms,
		.jited_func_lens = (uintptr_t)p->function_bytes,
		.nr_jited_func_lens = sizes.nr_jited_func_lens,
	};
	len = sizeof(p->info);
	if (bpf_obj_get_info_by_fd(fd, &p->info, &len))
		tool_fail(-errno, "cannot look at program %u", id);
	close(fd);
	p->btf = btf__load_from_kernel_by_id(p->info.btf_id);
}

static const char *line_file(const struct program *p, unsigned line)
{
	const char *name = btf__name_by_offset(p->btf, p->lines[line].file_name_off);
	const char *slash = name ? strrchr(name, '/') : NULL;

	return slash ? slash + 1 : name ? name : "?";
}

static void program_instructions(const struct program *p, struct tallies *files)
{
	unsigned total = p->info.xlated_prog_len / 8;

	for (unsigned i = 0; i < p->info.nr_line_info; i++) {
		unsigned next = i + 1 < p->info.nr_line_info ? p->lines[i + 1].insn_off : total;

		tally(files, line_file(p, i), next - p->lines[i].insn_off);
	}
}

/* The file of an instruction of the program's, NULL where it is none. */
static const char *program_file(const struct program *p, uint64_t address)
{
	unsigned best = UINT32_MAX;
	bool inside = false;

	if (!p->btf)
		return NULL;
	for (unsigned i = 0; i < p->info.nr_jited_ksyms && !inside; i++)
		inside = address >= p->function[i] &&
			 address < p->function[i] + p->function_bytes[i];
	if (!inside)
		return NULL;
	for (unsigned i = 0; i < p->info.nr_jited_line_info; i++)
		if (p->line_addresses[i] <= address &&
			(best == UINT32_MAX || p->line_addresses[i] >= p->line_addresses[best]))
			best = i;
	return best == UINT32_MAX ? "?" : line_file(p, best);
}

/* ---- samples ---- */

static struct perf_event_mmap_page *sampling_open(pid_t pid, int *fd)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = PERIOD_NS,
		.sample_type = PERF_SAMPLE_IP,
		.disabled = 1,
		.exclude_user = 1,
	};
	size_t bytes = (RING_PAGES + 1) * (size_t)sysconf(_SC_PAGESIZE);
	void *ring;

	*fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, 0);
	if (*fd < 0)
		tool_fail(-errno, "cannot sample process %d", pid);
	ring = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
	if (ring == MAP_FAILED)
		tool_fail(-errno, "cannot map the samples");
	return ring;
}

static unsigned samples_sort(const struct perf_event_mmap_page *ring,
	const struct program *programs, struct tallies *files)
{
	const uint8_t *data = (const uint8_t *)ring + ring->data_offset;
	unsigned samples = 0;

	for (uint64_t at = 0; at < ring->data_head;) {
		const struct perf_event_header *h = (const void *)(data + at % ring->data_size);
		uint64_t address = *(const uint64_t *)(h + 1);
		const char *file = NULL;

		at += h->size;
		if (h->type != PERF_RECORD_SAMPLE)
			continue;
		samples++;
		for (unsigned i = 0; i < PROGRAMS && !file; i++)
			file = program_file(&programs[i], address);
		if (file)
			tally(files, file, 1);
		else if (symbol_at(address))
			symbol_at(address)->samples++;
	}
	return samples;
}

int main(int argc, char **argv)
{
	static struct tallies instructions, files, functions;
	static struct program programs[PROGRAMS];
	struct perf_event_mmap_page *ring;
	struct timespec wait;
	unsigned samples;
	pid_t pid;
	uint64_t ms;
	int fd;

	if (argc != 4)
		tool_fail(0, "DEVICE PID MS");
	pid = (pid_t)tool_number(argv[2], 1, INT32_MAX);
	ms = tool_number(argv[3], 1, MS_MAX);
	symbols_read();
	program_read(&programs[0], program_attached(tool_device(argv[1])));
	program_read(&programs[1], program_named("viaduct_finish"));
	for (unsigned i = 0; i < PROGRAMS; i++)
		if (programs[i].btf)
			program_instructions(&programs[i], &instructions);
	ring = sampling_open(pid, &fd);
	wait = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
	nanosleep(&wait, NULL);
	ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
	samples = samples_sort(ring, programs, &files);
	for (unsigned i = 0; i < symbol_count; i++)
		if (symbols[i].samples * 1000 > samples) /* more than a thousandth */
			tally(&functions, symbols[i].name, symbols[i].samples);
	printf("{\"samples\":%u", samples);
	tallies_print("instructions", &instructions);
	tallies_print("program", &files);
	tallies_print("functions", &functions);
	tool_say("}");
	return 0;
}
