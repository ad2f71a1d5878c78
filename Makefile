# mailbox-run: every target of the project. `make help` lists them.
#
# The parts come from runtime/build.mk, images/build.mk, mailstack/build.mk and tests/build.mk. Sources
# are found by their place in the tree: a new .c file, test or fuzz target needs no line here.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/bash
MAKEFLAGS += --no-builtin-rules

VERSION := 0.1.0
BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
CC      := gcc
AR      := gcc-ar
STRIP   := strip

ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc)
endif

CSTD := -std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -I. -DMR_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Werror -Wshadow -Wvla -Walloca -Wformat=2 -Wformat-signedness -Wundef \
        -Wpointer-arith -Wcast-qual -Wcast-align=strict -Wwrite-strings -Wstrict-prototypes \
        -Wold-style-definition -Wmissing-prototypes -Wmissing-declarations -Wredundant-decls \
        -Wswitch-enum -Wconversion -Wsign-conversion -Wnull-dereference -Wdouble-promotion
WARN_GCC := -Wimplicit-fallthrough=5 -Warith-conversion -Wlogical-op -Wduplicated-cond \
        -Wduplicated-branches -Wjump-misses-init -Warray-bounds=2 -Wuse-after-free=3 \
        -Wdangling-pointer=2 -Wbidi-chars=any -Wtrampolines
HARD := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
        -fstack-clash-protection -fcf-protection=full -ftrivial-auto-var-init=zero \
        -fzero-call-used-regs=used-gpr -fno-common -fno-strict-overflow \
        -fno-delete-null-pointer-checks -fvisibility=hidden -fPIE -ffunction-sections \
        -fdata-sections -ffile-prefix-map=$(CURDIR)=.
LINK := -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code,--as-needed,--fatal-warnings,--gc-sections

# The kind of build: san (address, undefined), tsan (thread), or none of them for the real one.
SANITIZE ?=
ifeq ($(SANITIZE),)
CFLAGS_KIND := $(HARD)
LINK_KIND   := -pie
STATIC      := -static-pie
else
CFLAGS_KIND := -O1 -g -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer \
               -fPIE -Wno-null-dereference
LINK_KIND   := -pie -fsanitize=$(SANITIZE)
STATIC      :=
endif
CFLAGS := $(CSTD) $(WARN) $(WARN_GCC) $(CFLAGS_KIND)

Q := $(if $(V),,@)
say = @printf '  %-7s %s\n' '$(1)' '$(2)'

$(BUILD)/obj/%.o: %.c
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
	$$(Q)rm -f $$@ && $$(AR) rcs $$@ $$^
endef

# $(call program,NAME,OBJECTS,ARCHIVES,LIBRARIES,LINK FLAGS)
define program
$(BUILD)/$(1): $(2) $(3)
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(CFLAGS_KIND) $$(if $(5),$(5),$$(LINK_KIND)) $$(LINK) -o $$@ $(2) $(3) $(4)
endef

include runtime/build.mk images/build.mk mailstack/build.mk tests/build.mk

PROGRAMS := $(RUNTIME_PROGRAMS) $(IMAGE_PROGRAMS) $(DAEMONS)

.PHONY: all programs clean help
all: programs images ## build everything into build/ (no root needed)
programs: $(addprefix $(BUILD)/,$(PROGRAMS))
clean: ## remove build/
	rm -rf build

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' Makefile */build.mk | sed 's/:.*## /\t/' | sort | expand -t 16

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
