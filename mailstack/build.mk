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
LIBS_dnsd    := -lunbound -levent -lhogweed -lnettle -lgmp

# In front of the libraries: a static program must not load what its image does not have. A sanitizer's does.
# libc's note on a static dlopen says what nolookup.c already made untrue.
ifeq ($(SANITIZE),)
QUIET_LD := -Xlinker --no-fatal-warnings -Xlinker --no-warnings
NOLOOKUP := $(BUILD)/obj/mailstack/lib/daemon/nolookup.o
endif

define daemon
$(call archive,$(1),$(filter-out %/main.o,$(call objects,mailstack/$(1)/*.c)))
$(call program,$(1),$(BUILD)/obj/mailstack/$(1)/main.o $(NOLOOKUP),$(BUILD)/lib/$(1).a $(LIBMAIL) $(LIBMRBASE),$(LIBS_$(1)) -ljansson,$(STATIC) $(QUIET_LD))
endef
$(foreach d,$(DAEMONS),$(eval $(call daemon,$(d))))
