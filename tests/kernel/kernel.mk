#: make check-kernel  the data plane on Debian's own kernels, in an emulated machine (root, to install)
.PHONY: check-kernel
check-kernel:
	@tools/deps.sh build run test kernel
	@$(MAKE) -s -j2 all tests-build
	@tests/kernel/check
