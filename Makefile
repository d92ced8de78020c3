# Viaduct. `make help` lists what can be made.
#
#   CC=clang        the compiler of everything but bpf/ (gcc by default)
#   SAN=1           build with AddressSanitizer and UBSan, under build/san/
#   PREFIX, DESTDIR where `make install` puts things

SHELL    := /bin/bash
CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/bin/bpftool) bpftool)
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

PKGS     := libbpf libxdp libnl-3.0 libnl-route-3.0 libosip2 libcyaml yaml-0.1 libpcre2-8 jansson
PKGFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LIBS     := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lcap -lm
WARN     := -Wall -Wextra -Werror -Wshadow
CFLAGS   ?= -O2 -g
ALLFLAGS := -std=gnu11 $(CFLAGS) $(WARN) $(SANFLAGS) -Iinclude -Idaemon -I$(OUT)/gen -Ibuild/gen \
            -DVIADUCT_VERSION='"$(VERSION)"' $(PKGFLAGS) -MMD -MP

.PHONY: all
all: $(OUT)/viaductd $(OUT)/viaduct

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
ROOMS := base config route dataplane media sip call control
define ROOM
$(1)_OBJS := $$(patsubst %.c,$(OUT)/%.o,$$(wildcard daemon/$(1)/*.c))
$(OUT)/lib$(1).a: $$($(1)_OBJS)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call ROOM,$(r))))
ROOM_LIBS := $(foreach r,$(ROOMS),$(OUT)/lib$(r).a)

$(dataplane_OBJS): | build/gen/viaduct.skel.h

$(OUT)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLFLAGS) -c $< -o $@

$(OUT)/viaductd: $(patsubst %.c,$(OUT)/%.o,$(wildcard daemon/*.c)) $(ROOM_LIBS)
	$(CC) $(SANFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(ROOM_LIBS) -Wl,--end-group $(LIBS)

$(OUT)/viaduct: $(patsubst %.c,$(OUT)/%.o,$(wildcard tools/viaduct/*.c)) $(OUT)/libbase.a
	$(CC) $(SANFLAGS) -o $@ $^ $(LIBS)

# ---- tests -----------------------------------------------------------------------------------
UNIT_TESTS := $(patsubst tests/unit/%.c,$(OUT)/tests/unit/%,$(wildcard tests/unit/test_*.c))
BPF_TESTS  := $(patsubst tests/bpf/%.c,$(OUT)/tests/bpf/%,$(wildcard tests/bpf/test_*.c))

# A unit test tests/unit/test_<room>_<notion>.c links its room and those below it alone.
UNDER_base      := base
UNDER_config    := config base
UNDER_route     := route config base
UNDER_dataplane := dataplane config base
UNDER_media     := media dataplane config base
UNDER_sip       := sip config base
UNDER_call      := call media dataplane sip route config base
UNDER_control   := control $(UNDER_call)
UNIT_ROOMS = $(foreach r,$(UNDER_$(word 2,$(subst _, ,$(1)))),$(OUT)/lib$(r).a)

.SECONDEXPANSION:
$(OUT)/tests/unit/%: $(OUT)/tests/unit/%.o $$(call UNIT_ROOMS,$$(notdir $$@))
	$(CC) $(SANFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka $(LIBS)

$(OUT)/tests/bpf/%: $(OUT)/tests/bpf/%.o $(patsubst %.c,$(OUT)/%.o,$(filter-out $(wildcard tests/bpf/test_*.c),$(wildcard tests/bpf/*.c))) $(OUT)/libbase.a
	$(CC) $(SANFLAGS) -o $@ $^ -lcmocka $(LIBS)
$(patsubst %.c,$(OUT)/%.o,$(wildcard tests/bpf/*.c)): | build/gen/viaduct.skel.h

.PHONY: unit bpf-tests tests-build
tests-build: $(UNIT_TESTS) $(BPF_TESTS)
unit: $(UNIT_TESTS)
	@for t in $(UNIT_TESTS); do $$t || exit 1; done
bpf-tests: $(BPF_TESTS)
	@for t in $(BPF_TESTS); do $$t || exit 1; done

.PHONY: clean
clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
