#: make check-kernel  the data plane on Debian's own kernels, the package on a Debian, in emulated machines (root)
.PHONY: check-kernel
check-kernel:
	@tools/deps.sh build run test kernel
	@$(MAKE) -s -j2 all tests-build
	@tests/kernel/check
