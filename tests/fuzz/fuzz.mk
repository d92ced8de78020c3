# Fuzz targets: libFuzzer, with AddressSanitizer and UBSan, of the clang that is installed. Each is a
# file fuzz_<name>.c, which links <name>'s room and those below it, and has its corpus in
# tests/fuzz/corpus/<name>; where there is a file <name>.dict, it is the words that inputs are made of.
#
#   FUZZ_SECONDS=60   of each target of `make fuzz`
#   FUZZ_TARGETS=     those alone

FUZZ_NAMES   := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_TARGETS ?= $(FUZZ_NAMES)
FUZZ_SECONDS ?= 60

FUZZ_ROOMS_sip     := $(UNDER_record)
FUZZ_ROOMS_stream  := $(UNDER_sip)
FUZZ_ROOMS_auth    := $(UNDER_sip)
FUZZ_ROOMS_peers   := $(UNDER_peer)
FUZZ_ROOMS_state   := $(UNDER_call)
FUZZ_ROOMS_journal := $(UNDER_store)
FUZZ_ROOMS_records := $(UNDER_record)
FUZZ_ROOMS_sdp     := $(UNDER_media)
FUZZ_ROOMS_config  := $(UNDER_config)
FUZZ_ROOMS_control := $(UNDER_control)

build/fuzz/tests/fuzz/fuzz_%: build/fuzz/tests/fuzz/fuzz_%.o $$(foreach r,$$(FUZZ_ROOMS_$$*),build/fuzz/lib$$(r).a)
	$(CC) -fsanitize=fuzzer $(SANFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -Wl,--wrap=log_write,--wrap=getrandom -lcmocka $(LIBS)
$(patsubst %.c,build/fuzz/%.o,$(wildcard tests/fuzz/*.c)): | build/gen/state.pb-c.h

.PHONY: fuzz fuzz-build
# The objects that are linked have to be built for it: FUZZ=1.
fuzz-build: $(patsubst %,build/fuzz/tests/fuzz/fuzz_%,$(FUZZ_NAMES))

#: make fuzz        random inputs for FUZZ_SECONDS=60 a target; what is new goes to build/fuzz/corpus
fuzz:
	@$(MAKE) -s -j2 FUZZ=1 fuzz-build
	@tests/fuzz/run $(FUZZ_SECONDS) $(FUZZ_TARGETS)
