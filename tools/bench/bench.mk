# The bench: small C tools and XDP programs under build/bench/, driven by tools/bench/bench.
BENCH_SKELS := $(patsubst tools/bench/%.bpf.c,build/bench/gen/%.skel.h,$(wildcard tools/bench/*.bpf.c))
BENCH_OBJS  := $(patsubst %.c,$(OUT)/%.o,$(filter-out %.bpf.c,$(wildcard tools/bench/*.c)))
BENCH_TOOLS := $(addprefix build/bench/,generator sink redirect relay_driver program_cost invite_latency route_cost trunk_callee sip_caller \
               sip_callee profile interruptions)
BENCH_DATAPLANE_LIBS := $(OUT)/libdataplane.a $(OUT)/libconfig.a $(OUT)/libbase.a

build/bench/gen/%.bpf.o: tools/bench/%.bpf.c $(wildcard tools/bench/*.h)
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -Itools/bench -c $< -o $@

build/bench/gen/%.skel.h: build/bench/gen/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@.tmp && mv $@.tmp $@

.PRECIOUS: build/bench/gen/%.bpf.o build/bench/gen/%.skel.h
$(BENCH_OBJS): ALLFLAGS += -Ibuild/bench/gen
$(BENCH_OBJS): | $(BENCH_SKELS)

BENCH_LINK = $(CC) $(SANFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

build/bench/generator: $(addprefix $(OUT)/tools/bench/,generator.o traffic.o tool.o)
	$(BENCH_LINK)
build/bench/sink: $(addprefix $(OUT)/tools/bench/,sink.o traffic.o tool.o)
	$(BENCH_LINK)
build/bench/redirect: $(addprefix $(OUT)/tools/bench/,redirect.o tool.o)
	$(BENCH_LINK)
build/bench/profile: $(addprefix $(OUT)/tools/bench/,profile.o tool.o)
	$(BENCH_LINK)
build/bench/interruptions: $(addprefix $(OUT)/tools/bench/,interruptions.o tool.o)
	$(BENCH_LINK)
build/bench/invite_latency: $(addprefix $(OUT)/tools/bench/,invite_latency.o tool.o)
	$(BENCH_LINK)
build/bench/route_cost: $(addprefix $(OUT)/tools/bench/,route_cost.o tool.o) $(OUT)/libroute.a $(OUT)/libconfig.a $(OUT)/libbase.a
	$(BENCH_LINK)
build/bench/trunk_callee: $(addprefix $(OUT)/tools/bench/,trunk_callee.o tool.o)
	$(BENCH_LINK)
build/bench/sip_caller: $(addprefix $(OUT)/tools/bench/,sip_caller.o tool.o)
	$(BENCH_LINK)
build/bench/sip_callee: $(addprefix $(OUT)/tools/bench/,sip_callee.o tool.o)
	$(BENCH_LINK)
build/bench/relay_driver: $(addprefix $(OUT)/tools/bench/,relay_driver.o relay.o traffic.o tool.o) $(BENCH_DATAPLANE_LIBS)
	$(BENCH_LINK)
build/bench/program_cost: $(addprefix $(OUT)/tools/bench/,program_cost.o relay.o traffic.o tool.o) $(BENCH_DATAPLANE_LIBS)
	$(BENCH_LINK)

.PHONY: bench-build
bench-build: $(BENCH_TOOLS) $(OUT)/viaductd
# BENCH=relay,latency,sip chooses parts (tools/bench/bench --help lists them), BENCH_SECONDS sets a relay
# run's length, BENCH_QUICK=1 only shows that everything works. BENCH_AGAINST=TREE has BENCH=against
# compare with another tree's data plane.
#: make bench       measure, and compare with other ways: table, and build/bench/results.json with plots (root)
