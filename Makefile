# mailbox-run: every target of the project. `make help` lists them.
#
# The parts come from runtime/build.mk, images/build.mk, mailstack/build.mk and tests/build.mk. Sources
# are found by their place in the tree: a new .c file, test or fuzz target needs no line here.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules --no-print-directory

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      := gcc
AR      := gcc-ar
STRIP   := strip

# As many jobs as there are cores, unless somebody said otherwise; a make within make shares them.
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(shell nproc)
endif

CSTD := -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -DMR_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Werror -Wshadow -Wvla -Walloca -Wformat=2 -Wundef \
        -Wpointer-arith -Wcast-qual -Wwrite-strings -Wstrict-prototypes \
        -Wold-style-definition -Wmissing-prototypes -Wmissing-declarations -Wredundant-decls \
        -Wswitch-enum -Wconversion -Wsign-conversion -Wnull-dereference -Wdouble-promotion
WARN_GCC := -Wformat-signedness -Wcast-align=strict -Wimplicit-fallthrough=5 -Warith-conversion -Wlogical-op -Wduplicated-cond \
        -Wduplicated-branches -Wjump-misses-init -Warray-bounds=2 -Wuse-after-free=3 \
        -Wdangling-pointer=2 -Wbidi-chars=any -Wtrampolines
HARD := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
        -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero \
        -fzero-call-used-regs=used-gpr -fno-common -fno-strict-overflow \
        -fno-delete-null-pointer-checks -fvisibility=hidden -fPIE -ffunction-sections \
        -fdata-sections -ffile-prefix-map=$(CURDIR)=.
LINK := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed,--fatal-warnings,--gc-sections

# The kind of build: san (address, undefined), tsan (thread), or none of them for the real one. Warnings
# are the real one's matter: instrumented code gives false ones.
SANITIZE ?=
ifeq ($(SANITIZE),)
CFLAGS_KIND := $(HARD)
LINK_KIND   := -pie
STATIC      := -static-pie -Xlinker -z -Xlinker pack-relative-relocs
else
CFLAGS_KIND := -O1 -g -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer \
               -fPIE -w
LINK_KIND   := -pie -fsanitize=$(SANITIZE)
STATIC      :=
endif
CFLAGS := $(CSTD) $(WARN) $(WARN_GCC) $(CFLAGS_KIND)

# `sudo make up` and `sudo make test` in a clone of one's own build as its owner, so that a plain `make` and `make clean`
# go on working; unless build/ holds what root has built before.
ifneq ($(filter-out 0,$(SUDO_UID)),)
AS_OWNER := $(shell [ "$$(id -u) $$(stat -c %u .)" = "0 $(SUDO_UID)" ] && \
    [ -z "$$(find build -maxdepth 1 ! -user $(SUDO_UID) ! -name demo -print -quit 2>/dev/null)" ] && \
    echo setpriv --reuid $(SUDO_UID) --regid $(SUDO_GID) --init-groups)
endif

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' '$(1)' '$(2)'

$(BUILD)/obj/%.o: %.c | $(BUILD)/.deps
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c $< -o $@

# objects of: $(call objects,glob...)
objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard $(1))))

# $(call archive,NAME,OBJECTS)
define archive
$(BUILD)/lib/$(1).a: $(2)
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $$(AR) qcs $$@ $$^
endef

# $(call program,NAME,OBJECTS,ARCHIVES,LIBRARIES,LINK FLAGS)
define program
$(BUILD)/$(1): $(2) $(3)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(CFLAGS_KIND) $$(LINK) $$(if $(5),$(5),$$(LINK_KIND)) -o $$@ $(2) $(3) $(4)
endef

include runtime/build.mk images/build.mk mailstack/build.mk tests/build.mk

PROGRAMS := $(RUNTIME_PROGRAMS) $(IMAGE_PROGRAMS) $(DAEMONS)

.PHONY: all programs up install uninstall clean help
all: programs images ## build everything into build/ (no root needed)
programs: $(addprefix $(BUILD)/,$(PROGRAMS))

# In steps of their own: what deps installs must be there when the next make looks at the tree.
up: ## install what is missing (as root), build, and run the example stack in the foreground
	$(Q)$(MAKE) deps
	$(Q)$(AS_OWNER) $(MAKE) all
	@echo "the example's accounts: alice@example.org with alice-password, bob@example.org with bob-password"
	$(Q)exec $(BUILD)/mailbox-run up specs/mailstack.json

# --- installation -------------------------------------------------------------------------------
BIN_DIR     = $(DESTDIR)$(PREFIX)/bin
LIBEXEC_DIR = $(DESTDIR)$(PREFIX)/libexec/mailbox-run
SHARE_DIR   = $(DESTDIR)$(PREFIX)/share/mailbox-run
MAN_DIR     = $(DESTDIR)$(PREFIX)/share/man
BASH_DIR    = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
BIN_PROGRAMS     = $(filter mailbox-run mb-image,$(PROGRAMS))
LIBEXEC_PROGRAMS = $(filter mailbox-run-stack,$(PROGRAMS))

install: all ## install below DESTDIR/PREFIX (/usr/local)
	install -d $(BIN_DIR) $(LIBEXEC_DIR) $(SHARE_DIR)
	rm -rf $(SHARE_DIR)/images $(SHARE_DIR)/specs
	$(if $(BIN_PROGRAMS),install -s --strip-program=$(STRIP) $(addprefix $(BUILD)/,$(BIN_PROGRAMS)) $(BIN_DIR))
	$(if $(LIBEXEC_PROGRAMS),install -s --strip-program=$(STRIP) $(addprefix $(BUILD)/,$(LIBEXEC_PROGRAMS)) $(LIBEXEC_DIR))
	cp -R --no-preserve=ownership specs $(SHARE_DIR)/specs
	if [ -d $(BUILD)/images ]; then install -d $(SHARE_DIR)/images && \
	    cp -R --no-preserve=ownership $(addprefix $(BUILD)/images/,oci-layout index.json blobs) $(SHARE_DIR)/images; fi
	for page in $(MAN); do install -D -m 644 $$page $(MAN_DIR)/man$${page##*.}/$${page##*/} || exit 1; done
	install -D -m 644 runtime/man/mailbox-run.bash $(BASH_DIR)/mailbox-run

uninstall: ## remove what install installed
	rm -f $(addprefix $(BIN_DIR)/,mailbox-run mb-image)
	rm -rf $(LIBEXEC_DIR) $(SHARE_DIR)
	for page in $(MAN); do rm -f $(MAN_DIR)/man$${page##*.}/$${page##*/}; done
	rm -f $(BASH_DIR)/mailbox-run

clean: ## remove build/
	@rm -rf build 2>/dev/null || { echo "what the example stack stored in build/demo is root's: sudo make clean" >&2; exit 1; }

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile */build.mk | sed 's/:.*## /\t/' | sort | expand -t 16

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
