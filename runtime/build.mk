# libmrbase, libmailrun (spec, kernel, container), libmrstack, mailbox-run, mailbox-run-stack

$(eval $(call archive,libmrbase,$(call objects,runtime/base/*.c)))
$(eval $(call archive,libmailrun,$(call objects,runtime/spec/*.c runtime/kernel/*.c runtime/container/*.c)))
$(eval $(call archive,libmrstack,$(call objects,runtime/stack/*.c)))
# The verbs without main and what is before it, so that unit tests reach the option parser.
CLI_OWN := runtime/cli/main.c runtime/cli/early.c runtime/cli/start.c
$(eval $(call archive,libmrcli,$(filter-out $(call objects,$(CLI_OWN)),$(call objects,runtime/cli/*.c))))

LIBMRBASE  := $(BUILD)/lib/libmrbase.a
LIBMAILRUN := $(BUILD)/lib/libmailrun.a
LIBMRSTACK := $(BUILD)/lib/libmrstack.a
LIBMRCLI   := $(BUILD)/lib/libmrcli.a

RUNTIME_PROGRAMS :=

# The runtime proper is static and lean: what it links is paid for at every start of a container.
ifneq ($(wildcard runtime/cli/main.c),)
RUNTIME_PROGRAMS += mailbox-run
# Its entry is runtime/cli/early.c, and the C library is started by runtime/cli/start.c, where these are there for the architecture.
# Its text is laid out by runtime/cli/order.ld; the map is for tests/bench/order.py, which writes that.
ORDER := $(if $(SANITIZE),,-Xlinker -T -Xlinker runtime/cli/order.ld -Xlinker -Map=$(BUILD)/mailbox-run.map)
EARLY := $(if $(SANITIZE),,$(if $(filter x86_64-%,$(shell $(CC) -dumpmachine 2>/dev/null)),-e early_start))
$(eval $(call program,mailbox-run,$(call objects,$(if $(EARLY),$(CLI_OWN),runtime/cli/main.c)),$(LIBMRCLI) $(LIBMAILRUN) $(LIBMRBASE),-lseccomp -lcap -ljansson,$(STATIC) $(EARLY) $(ORDER)))
$(BUILD)/mailbox-run: runtime/cli/order.ld
endif

# up, down, image, user ...: the verbs that need archives, TLS and netlink. mailbox-run executes it. In a static program
# libcrypto's and libnl's look-ups of names are refused, as in the daemons (see mailstack/build.mk).
ifeq ($(SANITIZE),)
STACK_STATIC := $(STATIC) -Xlinker --wrap=dlopen
STACK_OBJ    := $(BUILD)/obj/mailstack/lib/daemon/nolookup.o
endif
ifneq ($(wildcard runtime/cli/stack/main.c),)
RUNTIME_PROGRAMS += mailbox-run-stack
$(eval $(call program,mailbox-run-stack,$(call objects,runtime/cli/stack/*.c) $(STACK_OBJ),$(LIBMRCLI) $(LIBMRSTACK) $(BUILD)/lib/libmrimage.a $(LIBMAILRUN) $(LIBMRBASE),-lseccomp -lcap -lnl-route-3 -lnl-3 -ljansson -lz -lzstd -lcrypt -lssl -lcrypto,$(STACK_STATIC)))
endif

# libnl keeps its headers apart; the service rows and seccomp lists are embedded.
$(BUILD)/obj/runtime/kernel/veth.o $(BUILD)/obj/runtime/kernel/nat.o: CFLAGS += -isystem /usr/include/libnl3
$(BUILD)/obj/runtime/stack/specs.o: $(wildcard specs/services/*.json specs/seccomp/*.json)
