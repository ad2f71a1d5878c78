# unit tests, fuzz targets, end-to-end tests, lint, sanitizers, benchmarks, packages

# --- unit tests: tests/unit/PATH/test_NAME.c is a program of its own ------------------------------
UNIT_SRC   := $(sort $(shell find tests/unit -name 'test_*.c' 2>/dev/null))
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SRC))
TEST_LIB   := $(BUILD)/lib/libtest.a
$(eval $(call archive,libtest,$(call objects,tests/lib/*.c)))

TEST_LIBS := -lcmocka -lseccomp -lcap -lnl-route-3 -lnl-3 -lsqlite3 -lz -lzstd -lcrypt -lssl -lcrypto \
             -ljansson -lidn2 -lm
# The daemon whose objects tests/unit/mailstack/NAME/... needs, if it is a daemon's.
unit_daemon = $(addprefix $(BUILD)/lib/,$(addsuffix .a,$(filter $(DAEMONS),$(word 4,$(subst /, ,$(1))))))
unit_cli = $(if $(filter tests/unit/runtime/cli/%,$(1)),$(LIBMRCLI))

define unit_test
$(BUILD)/$(1): $(BUILD)/obj/$(1).o $(call unit_daemon,$(1)) $(call unit_cli,$(1)) $(TEST_LIB) $(LIBMAIL) $(LIBMRSTACK) $(LIBMRIMAGE) $(LIBMAILRUN) $(LIBMRBASE)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(CFLAGS_KIND) $$(LINK_KIND) $$(LINK) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(TEST_LIBS)
endef
$(foreach t,$(patsubst %.c,%,$(UNIT_SRC)),$(eval $(call unit_test,$(t))))

# The runtime with its defences removable, for tests/oci/attack: every __wrap_NAME of undefended*.c takes NAME's place.
UNDEFENDED     := $(BUILD)/test/mailbox-run-undefended
UNDEFENDED_SRC := $(wildcard tests/oci/attack/undefended*.c)
UNDEFENDED_OFF := $(patsubst __wrap_%,%,$(sort $(shell grep -ho '__wrap_[a-z][a-z0-9_]*' $(UNDEFENDED_SRC))))
$(UNDEFENDED): $(call objects,runtime/cli/main.c $(UNDEFENDED_SRC)) $(LIBMRCLI) $(LIBMAILRUN) $(LIBMRBASE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_KIND) $(LINK) $(STATIC) $(UNDEFENDED_OFF:%=-Wl,--wrap=%) -o $@ $^ -lseccomp -lcap -ljansson

# What the attacks run inside of containers.
ATTACKER := $(BUILD)/test/attacker
$(ATTACKER): $(call objects,tests/oci/attack/attacker.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_KIND) $(LINK) $(STATIC) -o $@ $^

.PHONY: unit unit-build
unit-build: $(UNIT_TESTS) $(UNDEFENDED) $(ATTACKER)
# One: make build/tests/unit/runtime/base/test_str && build/tests/unit/runtime/base/test_str
unit: unit-build ## build and run the unit tests
	$(Q)tests/tools/run_unit.sh $(UNIT_TESTS)

# --- all tests ------------------------------------------------------------------------------------
# In steps of their own: what deps installs must be there when the next make looks at the tree.
.PHONY: test test-run
test: ## install what tests need (as root), build, and run all of them
	$(Q)tests/tools/deps.sh $(DEPS) $(DEPS_TEST)
	$(Q)$(AS_OWNER) $(MAKE) all unit-build
	$(Q)$(MAKE) -s test-run
test-run:
	$(Q)tests/tools/run_tests.sh $(BUILD) $(UNIT_TESTS)

# --- tests in guests with cgroup v2 alone: tests/vm ------------------------------------------------
.PHONY: test-vm
test-vm: ## runtime and stack tests in guests with cgroup v2, systemd, AppArmor, SELinux, under qemu (as root; takes long)
	$(Q)tests/tools/deps.sh $(DEPS) $(DEPS_TEST) $(DEPS_VM)
	$(Q)$(AS_OWNER) $(MAKE) all unit-build
	$(Q)$(AS_OWNER) tests/vm/vm.py prepare $(BUILD)/vm
	$(Q)tests/vm/all.sh $(BUILD)

# --- sanitizers: the unit tests built another way -------------------------------------------------
.PHONY: san
san: ## unit tests under the address, undefined and thread sanitizers
	$(Q)$(MAKE) BUILD=build/san SANITIZE=address,undefined unit
	$(Q)$(MAKE) BUILD=build/tsan SANITIZE=thread unit

# --- fuzz targets: tests/fuzz/PATH/fuzz_NAME.c, clang and libFuzzer -------------------------------
FUZZ_SECONDS ?= 20
FUZZ_CC      := clang
FUZZ_BUILD   := $(BUILD)/fuzz
FUZZ_SRC     := $(sort $(shell find tests/fuzz -name 'fuzz_*.c' 2>/dev/null))
FUZZ_TARGETS := $(patsubst %.c,$(FUZZ_BUILD)/%,$(FUZZ_SRC))
FUZZ_CFLAGS  := -isystem /usr/include/libnl3 $(CSTD) $(WARN) -Wno-null-dereference -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
                -fsanitize-address-use-after-scope

# The rooms that parsers use, and each room that has a target of its own; a daemon's objects, without its main, are a
# library of their own, as each has its session.c and conf.c.
FUZZ_ROOMS   := runtime/base runtime/spec images/lib $(wildcard mailstack/lib/*) \
                $(filter-out $(DAEMONS:%=mailstack/%),$(patsubst tests/fuzz/%/,%,$(dir $(FUZZ_SRC))))
FUZZ_LIB_SRC := $(sort $(filter-out %/main.c %/nolookup.c,$(foreach r,$(sort $(FUZZ_ROOMS)),$(wildcard $(r)/*.c))))
FUZZ_DAEMONS := $(sort $(foreach f,$(FUZZ_SRC),$(filter $(DAEMONS),$(word 4,$(subst /, ,$(f))))))
fuzz_objects  = $(patsubst %.c,$(FUZZ_BUILD)/obj/%.o,$(filter-out %/main.c,$(wildcard mailstack/$(1)/*.c)))

$(FUZZ_BUILD)/obj/%.o: %.c | $(BUILD)/.deps $(BUILD)/.deps-lint
	@mkdir -p $(@D)
	$(call say,CC,$< (fuzz))
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c $< -o $@

$(FUZZ_BUILD)/lib.a: $(patsubst %.c,$(FUZZ_BUILD)/obj/%.o,$(FUZZ_LIB_SRC))
	$(Q)rm -f $@ && ar qcs $@ $^

define fuzz_daemon
$(FUZZ_BUILD)/$(1).a: $(call fuzz_objects,$(1))
	$$(Q)rm -f $$@ && ar qcs $$@ $$^
$(filter $(FUZZ_BUILD)/tests/fuzz/mailstack/$(1)/%,$(FUZZ_TARGETS)): $(FUZZ_BUILD)/$(1).a
endef
$(foreach d,$(FUZZ_DAEMONS),$(eval $(call fuzz_daemon,$(d))))

$(FUZZ_TARGETS): $(FUZZ_BUILD)/%: $(FUZZ_BUILD)/obj/%.o $(FUZZ_BUILD)/lib.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $(filter %.o,$^) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(filter-out -lcmocka,$(TEST_LIBS))

.PHONY: fuzz fuzz-build
fuzz-build: $(FUZZ_TARGETS)
# One: make build/fuzz/tests/fuzz/runtime/base/fuzz_num && build/fuzz/tests/fuzz/runtime/base/fuzz_num
fuzz: fuzz-build ## build every fuzz target and run each for FUZZ_SECONDS
	$(Q)tests/tools/run_fuzz.sh $(FUZZ_BUILD) $(FUZZ_SECONDS) $(FUZZ_SRC)

-include $(shell find $(BUILD)/fuzz/obj -name '*.d' 2>/dev/null)

# --- lint: each check alone, too: make lint-tidy ------------------------------------------------
LINT_C  := $(sort $(shell find runtime images mailstack tests -name '*.c' 2>/dev/null))
LINT_H  := $(sort $(shell find runtime images mailstack tests -name '*.h' 2>/dev/null))
LINT_SH := $(sort $(shell find .ci runtime images mailstack tests specs \( -name '*.sh' -o -name '*.bash' \) 2>/dev/null) .ci/run)
MAN     := $(sort $(wildcard runtime/man/*.[1-8] images/man/*.[1-8] mailstack/man/*.[1-8]))

.PHONY: lint lint-format lint-clang lint-tidy lint-cppcheck lint-sh lint-man lint-rules
lint: lint-format lint-clang lint-tidy lint-cppcheck lint-sh lint-man lint-rules ## every static check
lint-format lint-cppcheck lint-sh lint-man lint-rules: | $(BUILD)/.deps-lint
lint-format:
	$(Q)printf '%s\n' $(LINT_C) $(LINT_H) | xargs clang-format --dry-run -Werror
lint-clang: $(patsubst %.c,$(BUILD)/lint/%.clang,$(LINT_C))
lint-tidy: $(patsubst %.c,$(BUILD)/lint/%.tidy,$(LINT_C))
lint-cppcheck:
	$(Q)mkdir -p $(BUILD)/lint/cppcheck
	$(Q)cppcheck -q -j $$(nproc) --cppcheck-build-dir=$(BUILD)/lint/cppcheck --enable=warning,performance,portability \
	    --std=c11 --error-exitcode=1 --inline-suppr -D_GNU_SOURCE -D__x86_64__ -I. $(filter-out tests/%,$(LINT_C))
lint-sh:
	$(Q)shellcheck $(LINT_SH)
lint-man:
	$(Q)$(if $(MAN),mandoc -Tlint -W warning $(MAN),:)
lint-rules:
	$(Q)tests/tools/layers.py && tests/tools/mirror.py && tests/tools/shape.py

$(BUILD)/lint/%.clang: %.c $(LINT_H) | $(BUILD)/.deps $(BUILD)/.deps-lint
	@mkdir -p $(@D)
	$(Q)clang -fsyntax-only $(CSTD) $(WARN) -isystem /usr/include/libnl3 $< && touch $@
$(BUILD)/lint/%.tidy: %.c $(LINT_H) .clang-tidy tests/.clang-tidy | $(BUILD)/.deps $(BUILD)/.deps-lint
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet $< -- $(CSTD) -isystem /usr/include/libnl3 2>$@.log >&2 || { cat $@.log; exit 1; }
	@touch $@

# --- benchmarks -----------------------------------------------------------------------------------
# Programs that measure, or are measured: static, as the runtime is.
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(sort $(wildcard tests/bench/*.c)))

$(BENCH_PROGRAMS): $(BUILD)/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIBMRBASE)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS_KIND) $(LINK) $(STATIC) -o $@ $^ $(if $(filter mkfilter,$*),-lseccomp)

.PHONY: bench bench-build
bench-build: $(BENCH_PROGRAMS)
bench: ## measure, beside the peers (as root)
	$(Q)tests/tools/deps.sh $(DEPS) $(DEPS_BENCH)
	$(Q)$(MAKE) programs bench-build
	$(Q)tests/bench/run.sh $(BUILD)

# --- Debian packages ------------------------------------------------------------------------------
DEPS := gcc libc6-dev binutils pkg-config libseccomp-dev libcap-dev libjansson-dev libnl-3-dev \
        libnl-route-3-dev libssl-dev libsqlite3-dev libunbound-dev libevent-dev nettle-dev libgmp-dev \
        libidn2-dev libunistring-dev libcrypt-dev zlib1g-dev libzstd-dev
DEPS_TEST  := libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-jsonschema universal-ctags busybox-static file zstd \
              skopeo umoci runc iproute2 procps nftables util-linux openssl swaks libnet-ssleay-perl isync mutt fetchmail \
              unbound dnsutils python3-dkim python3-yaml passt slirp4netns uidmap strace
DEPS_VM    := qemu-system-x86 busybox-static kmod criu systemd dbus dbus-user-session apparmor secilc podman
DEPS_LINT  := clang clang-format clang-tidy cppcheck shellcheck mandoc universal-ctags python3
DEPS_BENCH := runc crun busybox-static python3 python3-pytest postfix dovecot-imapd dovecot-lmtpd

.PHONY: deps deps-test deps-lint deps-bench
deps: ## install the Debian packages the build needs (as root)
	$(Q)tests/tools/deps.sh $(DEPS)
deps-test: ## the same for tests
	$(Q)tests/tools/deps.sh $(DEPS_TEST)
deps-lint: ## the same for lint, san and fuzz
	$(Q)tests/tools/deps.sh $(DEPS_LINT)
deps-bench: ## the same for benchmarks
	$(Q)tests/tools/deps.sh $(DEPS_BENCH)

# Before anything is compiled: say what is missing in one sentence.
$(BUILD)/.deps: tests/build.mk
	@mkdir -p $(@D)
	$(Q)tests/tools/deps.sh --check $(DEPS)
	@touch $@
$(BUILD)/.deps-lint: tests/build.mk
	@mkdir -p $(@D)
	$(Q)tests/tools/deps.sh --check --target deps-lint $(DEPS_LINT)
	@touch $@
