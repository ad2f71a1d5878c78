# libmail (all of mailstack/lib; a program links only the objects it uses) and the daemons

$(eval $(call archive,libmail,$(call objects,mailstack/lib/*/*.c)))
LIBMAIL := $(BUILD)/lib/libmail.a

# A daemon is a directory with a main.c. Its other objects are an archive, so that tests can link them.
DAEMONS := $(patsubst mailstack/%/main.c,%,$(wildcard mailstack/*/main.c))

# What each links beyond libmail, libmrbase and jansson. imapd and pop3d link no TLS library.
LIBS_smtpd   := -lssl -lcrypto
LIBS_frontd  := -lssl -lcrypto
LIBS_queued  := -lssl -lcrypto -lidn2 -lunistring
LIBS_filterd := -lcrypto
LIBS_authd   := -lcrypt -lcrypto
LIBS_imapd   := -lsqlite3 -lm
LIBS_pop3d   := -lsqlite3 -lm
LIBS_lmtpd   := -lsqlite3 -lm
LIBS_dnsd    := $(BUILD)/lib/libunbound.a -levent -lhogweed -lnettle -lgmp

# In front of the libraries: a static program must not load what its image does not have. A sanitizer's does.
ifeq ($(SANITIZE),)
NOLOOKUP := $(BUILD)/obj/mailstack/lib/daemon/nolookup.o
# libc's warning of dlopen is tied to the name, whoever defines it.
NO_DLOPEN := -Xlinker --wrap=dlopen
endif

# libunbound's own fd_set_nonblock has another contract than ours, and in a static program there is one name space.
$(BUILD)/lib/libunbound.a: | $(BUILD)/.deps
	@mkdir -p $(@D)
	$(Q)objcopy --redefine-sym fd_set_nonblock=unbound_fd_set_nonblock $$($(CC) -print-file-name=libunbound.a) $@
$(BUILD)/dnsd: $(BUILD)/lib/libunbound.a

define daemon
$(call archive,$(1),$(filter-out %/main.o,$(call objects,mailstack/$(1)/*.c)))
$(call program,$(1),$(BUILD)/obj/mailstack/$(1)/main.o $(NOLOOKUP),$(BUILD)/lib/$(1).a $(LIBMAIL) $(LIBMRBASE),$(LIBS_$(1)) -ljansson,$(STATIC) $(NO_DLOPEN))
endef
$(foreach d,$(DAEMONS),$(eval $(call daemon,$(d))))
