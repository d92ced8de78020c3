# Viaduct. `make help` lists what can be made.
#
#   CC=clang        the compiler of everything but bpf/ (gcc by default)
#   SAN=1           build with AddressSanitizer and UBSan, under build/san/
#   FUZZ=1          the same with clang and what libFuzzer needs, under build/fuzz/
#   PREFIX, DESTDIR where `make install` puts things

SHELL    := /bin/bash
CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
PROTOC   ?= protoc-c
PREFIX   ?= /usr/local
VERSION  := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif

OUT := build
ifdef SAN
OUT := build/san
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif

ifdef FUZZ
CC  := clang
OUT := build/fuzz
SANFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
SAN := 1
endif

# jemalloc in the daemon: it spends its time in small and not so small blocks that come and go
# with transactions, which cost glibc's allocator more time and leave it more memory.
ifndef SAN
DAEMON_LIBS := -ljemalloc
endif

PKGS     := libbpf libxdp libnl-3.0 libnl-route-3.0 libosip2 libcyaml yaml-0.1 libpcre2-8 jansson \
            openssl libcares lmdb libprotobuf-c
PKGFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
# As needed: the CLI and most tests want few of them, and each takes its time at every start.
LIBS     := -Wl,--as-needed $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lcap -lm

# Without its compilers and libraries, say so at once; what installs them itself may go on.
NO_LIBRARIES_FOR := help deps clean format analyse check demo bench bench-smoke fuzz
ifneq ($(filter-out $(NO_LIBRARIES_FOR),$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(foreach tool,$(firstword $(CC)) $(CLANG) $(BPFTOOL) $(PROTOC),command -v $(tool) >/dev/null &&) \
	pkg-config --exists $(PKGS) libcap libxxhash 2>/dev/null && echo ready),ready)
$(error Compilers or libraries are missing; as root, `make deps` installs them)
endif
endif

WARN     := -Wall -Wextra -Werror -Wshadow
CFLAGS   ?= $(if $(SAN),-O1,-O2) -g
ALLFLAGS := -std=gnu11 -D_GNU_SOURCE $(CFLAGS) $(WARN) $(SANFLAGS) -Iinclude -Idaemon -I$(OUT)/gen -Ibuild/gen \
            -DVIADUCT_VERSION='"$(VERSION)"' $(PKGFLAGS) -MMD -MP

#: make             build the daemon and the CLI under build/
.PHONY: all
all: $(OUT)/viaductd $(OUT)/viaduct

#: make help        this list
.PHONY: help
help:
	@sed -n 's/^#: //p' $(MAKEFILE_LIST)

# ---- the kernel side -------------------------------------------------------------------------
BPF_ARCH  := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Iinclude -Ibpf \
              -I/usr/include/$(shell uname -m)-linux-gnu -Wall -Wextra -Werror -Wshadow

build/gen/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h) include/viaduct_xdp.h
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@

build/gen/%.skel.h: build/gen/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@.tmp && mv $@.tmp $@

# ---- the daemon: one archive a room ----------------------------------------------------------
ROOMS := base store config route dataplane media dns digest sip peer call control record
define ROOM
$(1)_OBJS := $$(patsubst %.c,$(OUT)/%.o,$$(wildcard daemon/$(1)/*.c))
$(OUT)/lib$(1).a: $$($(1)_OBJS)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM,$(r))))
ROOM_LIBS := $(foreach r,$(ROOMS),$(OUT)/lib$(r).a)

$(dataplane_OBJS): | build/gen/viaduct.skel.h build/gen/driver_loss.skel.h

# The state that is written down: see daemon/store/state.proto. What is generated has warnings of its
# own.
build/gen/%.pb-c.c build/gen/%.pb-c.h: daemon/store/%.proto
	@mkdir -p $(@D)
	$(PROTOC) --proto_path=$(<D) --c_out=$(@D) $<
.PRECIOUS: build/gen/%.pb-c.c build/gen/%.pb-c.h

$(OUT)/gen/%.pb-c.o: build/gen/%.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(filter-out $(WARN),$(ALLFLAGS)) -c $< -o $@
$(OUT)/libstore.a: $(OUT)/gen/state.pb-c.o
$(foreach r,$(ROOMS),$($(r)_OBJS)): | build/gen/state.pb-c.h
$(patsubst %.c,$(OUT)/%.o,$(wildcard daemon/*.c tests/unit/*.c)): | build/gen/state.pb-c.h

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -c $< -o $@

$(OUT)/viaductd: $(patsubst %.c,$(OUT)/%.o,$(wildcard daemon/*.c)) $(ROOM_LIBS)
	$(CC) $(SANFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(ROOM_LIBS) -Wl,--end-group $(LIBS) $(DAEMON_LIBS)

$(OUT)/viaduct: $(patsubst %.c,$(OUT)/%.o,$(wildcard tools/viaduct/*.c)) $(OUT)/libbase.a
	$(CC) $(SANFLAGS) -o $@ $^ $(LIBS)

# ---- tests -----------------------------------------------------------------------------------
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/test_*.c))
BPF_TESTS  := $(patsubst tests/bpf/%.c,$(OUT)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))

# A unit test tests/unit/test_<room>_<notion>.c links its room and those below it alone.
UNDER_base      := base
UNDER_store     := store base
UNDER_config    := config base
UNDER_route     := route config base
UNDER_dataplane := dataplane config base
UNDER_media     := media store dataplane config base
UNDER_dns       := dns base
UNDER_digest    := digest base
UNDER_sip       := sip store digest config base
UNDER_peer      := peer dns sip store digest config base
UNDER_call      := call media dataplane peer dns sip store digest route config base
UNDER_record    := record $(UNDER_call)
UNDER_control   := control $(UNDER_call)
UNIT_ROOMS = $(foreach r,$(UNDER_$(word 2,$(subst _, ,$(1)))),$(OUT)/lib$(r).a)

# They run for moments, and are half of what there is to compile.
$(OUT)/tests/unit/%.o: ALLFLAGS += -O0

.SECONDEXPANSION:
$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $$(call UNIT_ROOMS,$$(notdir $$@))
	$(CC) $(SANFLAGS) -o $@ $< $(UNIT_WRAPS) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(LIBS)
$(OUT)/tests/unit/test_config_reader: UNIT_WRAPS := -Wl,--wrap=config_load

# Flows by hand, for the tests of the data plane in namespaces.
$(OUT)/tests/e2e/dpdriver: $(OUT)/tests/e2e/dataplane/dpdriver.o $(OUT)/libdataplane.a $(OUT)/libconfig.a $(OUT)/libbase.a
	@mkdir -p $(@D)
	$(CC) $(SANFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)
# RTP of strangers, as fast as it goes.
$(OUT)/tests/e2e/flood: $(OUT)/tests/e2e/dataplane/flood.o $(OUT)/libbase.a
	@mkdir -p $(@D)
	$(CC) $(SANFLAGS) -o $@ $^
# One end of many calls that talk.
$(OUT)/tests/e2e/talkers: $(OUT)/tests/e2e/talkers.o
	$(CC) $(SANFLAGS) -o $@ $<
# Both ends of more calls than can be taken: the bench's.
$(OUT)/tests/e2e/sip_%: $(OUT)/tools/bench/sip_%.o $(OUT)/tools/bench/tool.o
	@mkdir -p $(@D)
	$(CC) $(SANFLAGS) -o $@ $^ $(LIBS)
tests-build: $(addprefix $(OUT)/tests/e2e/,dpdriver flood talkers sip_caller sip_callee)

# A viaductd of another layout, as an earlier or later version may be: program and data plane are built
# from the same sources against a header that other_layout.sed changes; the other rooms know none of it.
LAYOUT := build/layout
$(LAYOUT)/include/viaduct_xdp.h: include/viaduct_xdp.h tests/e2e/dataplane/other_layout.sed
	@mkdir -p $(@D)
	sed -f tests/e2e/dataplane/other_layout.sed $< > $@
$(LAYOUT)/gen/viaduct.bpf.o: bpf/viaduct.bpf.c $(wildcard bpf/*.h) $(LAYOUT)/include/viaduct_xdp.h
	@mkdir -p $(@D)
	$(CLANG) -I$(LAYOUT)/include $(BPF_CFLAGS) -c $< -o $@
$(LAYOUT)/gen/viaduct.skel.h: $(LAYOUT)/gen/viaduct.bpf.o
	$(BPFTOOL) gen skeleton $< name viaduct_bpf > $@.tmp && mv $@.tmp $@
LAYOUT_OBJS := $(patsubst %.c,$(OUT)/layout/%.o,$(wildcard daemon/dataplane/*.c))
$(LAYOUT_OBJS): | $(LAYOUT)/gen/viaduct.skel.h build/gen/driver_loss.skel.h
$(OUT)/layout/%.o: %.c
	@mkdir -p $(@D)
	$(CC) -I$(LAYOUT)/include -I$(LAYOUT)/gen $(ALLFLAGS) -c $< -o $@
$(OUT)/tests/e2e/viaductd-other-layout: $(LAYOUT_OBJS) $(patsubst %.c,$(OUT)/%.o,$(wildcard daemon/*.c)) $(filter-out %/libdataplane.a,$(ROOM_LIBS))
	@mkdir -p $(@D)
	$(CC) $(SANFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS) $(DAEMON_LIBS)
tests-build: $(OUT)/tests/e2e/viaductd-other-layout

$(OUT)/tests/unit/test_control_cli: | $(OUT)/viaduct

$(OUT)/tests/bpf/%: $(OUT)/tests/bpf/%.o $(patsubst %.c,$(OUT)/%.o,$(filter-out $(wildcard tests/bpf/test_*.c),$(wildcard tests/bpf/*.c))) \
		$(OUT)/daemon/dataplane/locals_likely.o $(OUT)/libbase.a
	$(CC) $(SANFLAGS) -o $@ $^ -lcmocka $(LIBS)
$(patsubst %.c,$(OUT)/%.o,$(wildcard tests/bpf/*.c) tests/unit/test_dataplane_load_failure.c): | build/gen/viaduct.skel.h

#: make unit        the tests that need no root
#: make bpf-tests   packets through BPF_PROG_TEST_RUN (root)
.PHONY: unit bpf-tests tests-build
tests-build: $(UNIT_TESTS) $(BPF_TESTS)
unit: $(UNIT_TESTS)
	@for t in $(UNIT_TESTS); do $$t || exit 1; done
bpf-tests: $(BPF_TESTS)
	@for t in $(BPF_TESTS); do $$t || exit 1; done

include tests/fuzz/fuzz.mk

#: make clean       remove build/
.PHONY: clean
clean:
	rm -rf build

-include $(shell find build -path build/kernel -prune -o -type f -name '*.d' -print 2>/dev/null)

# ---- the two commands, and what they need ----------------------------------------------------
#: make deps        install what building and running need (root)
.PHONY: deps
deps:
	@tools/deps.sh build run

.PHONY: check demo bench bench-smoke format analyse install
#: make check       install what is missing, build, run every test (root)
check:
	@tools/deps.sh build run test bench
	@echo "make: building, which takes a minute or two the first time"
	@$(MAKE) -s -j2 all tests-build
	@tests/check

#: make demo        install what is missing, build, place real calls in namespaces (root)
demo:
	@tools/deps.sh build run demo
	@echo "make: building, which takes a minute or two the first time"
	@$(MAKE) -s -j2 all
	@tools/demo/demo

include tests/kernel/kernel.mk
include tools/bench/bench.mk
bench bench-smoke:
	@tools/deps.sh build run bench
	@$(MAKE) -s -j2 bench-build
	@tools/with-bpffs tools/bench/bench $(if $(filter bench-smoke,$@),--quick --against .)

#: make deb         build/viaduct_VERSION_ARCHITECTURE.deb, a package of what is built
.PHONY: deb
deb: all
	@tools/deb $(OUT) $(VERSION) $(if $(SAN),SAN=1)

#: make clang-warnings  what clang has to say of everything but bpf/ and the bench; makes no code
.PHONY: clang-warnings
clang-warnings: | build/gen/state.pb-c.h build/gen/viaduct.skel.h build/gen/driver_loss.skel.h
	@printf '%s\n' $(wildcard daemon/*.c daemon/*/*.c tools/viaduct/*.c tests/*/*.c tests/e2e/*/*.c) | \
		xargs -P 2 -n 20 $(CLANG) -fsyntax-only $(filter-out -MMD -MP,$(ALLFLAGS))

C_FILES = $(shell find bpf daemon include tools tests -name '*.[ch]')
#: make format      apply .clang-format
format:
	clang-format -i $(C_FILES)

#: make analyse     cppcheck over the daemon and the CLI
analyse:
	@cppcheck -j2 --quiet --error-exitcode=1 --std=c11 --language=c --enable=warning,performance,portability \
		--inline-suppr --suppressions-list=tests/cppcheck.suppressions \
		--include=/usr/include/uthash.h --include=/usr/include/utlist.h \
		-Iinclude -Idaemon -DVIADUCT_VERSION='""' -D__linux__ '-DJSON_INTEGER_FORMAT="lld"' \
		'-DDECLARE_LIBXDP_OPTS(type,name,...)=struct type name = {0}' \
		'-DLIBBPF_OPTS(type,name,...)=struct type name = {0}' daemon tools/viaduct

#: make install     DESTDIR and PREFIX (/usr/local) say where; by root, makes the user viaduct as well
install: all
	install -D -m 755 $(OUT)/viaductd $(DESTDIR)$(PREFIX)/sbin/viaductd
	install -D -m 755 $(OUT)/viaduct $(DESTDIR)$(PREFIX)/bin/viaduct
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's,@PREFIX@,$(PREFIX),g' tools/viaductd.service.in \
		>$(DESTDIR)$(PREFIX)/lib/systemd/system/viaductd.service
	chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/viaductd.service
	install -D -m 644 tools/viaduct.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/viaduct.conf
	install -D -m 644 tools/demo/viaduct.yaml $(DESTDIR)$(PREFIX)/share/doc/viaduct/viaduct.yaml
	install -d $(DESTDIR)$(PREFIX)/share/doc/viaduct/examples
	install -m 644 tools/examples/*.yaml $(DESTDIR)$(PREFIX)/share/doc/viaduct/examples
	install -D -m 644 tools/completion/viaduct.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/viaduct
	install -D -m 644 include/viaduct_record.schema.json \
		$(DESTDIR)$(PREFIX)/share/doc/viaduct/viaduct_record.schema.json
	install -D -m 644 tools/man/viaduct.8 $(DESTDIR)$(PREFIX)/share/man/man8/viaduct.8
	install -D -m 644 tools/man/viaductd.8 $(DESTDIR)$(PREFIX)/share/man/man8/viaductd.8
	install -D -m 644 tools/man/viaduct.yaml.5 $(DESTDIR)$(PREFIX)/share/man/man5/viaduct.yaml.5
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" -eq 0 ] && command -v systemd-sysusers >/dev/null; then \
		systemd-sysusers $(PREFIX)/lib/sysusers.d/viaduct.conf; fi
