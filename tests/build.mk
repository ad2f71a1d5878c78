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

.PHONY: unit unit-build
unit-build: $(UNIT_TESTS)
# One: make build/tests/unit/runtime/base/test_str && build/tests/unit/runtime/base/test_str
unit: unit-build ## build and run the unit tests
	$(Q)tests/tools/run_unit.sh $(UNIT_TESTS)
