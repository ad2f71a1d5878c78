# libmrimage, mb-image, the images of the daemons in build/images (OCI image layout)

$(eval $(call archive,libmrimage,$(call objects,images/lib/*.c)))
LIBMRIMAGE := $(BUILD)/lib/libmrimage.a
IMAGE_PROGRAMS := mb-image
$(eval $(call program,mb-image,$(call objects,images/tool/*.c),$(LIBMRIMAGE) $(LIBMRBASE),-ljansson -lz -lzstd -lcrypto,$(STATIC)))

# One image a recipe whose program is built here. Each leaves its digest in build/images/digests/NAME, which is newer than all
# that the image is made of; mb-image sees to it that several at once do no harm.
IMAGES := $(filter $(patsubst mailstack/%/main.c,%,$(wildcard mailstack/*/main.c)),$(patsubst images/recipes/%.json,%,$(wildcard images/recipes/*.json)))

$(BUILD)/stripped/%: $(BUILD)/%
	@mkdir -p $(@D)
	$(call say,STRIP,$@)
	$(Q)$(STRIP) -s -o $@ $<

$(BUILD)/images/digests/%: images/recipes/%.json $(BUILD)/stripped/% $(wildcard images/files/*) $(BUILD)/mb-image
	@mkdir -p $(@D)
	$(call say,IMAGE,$*)
	$(Q)$(BUILD)/mb-image build -o $(BUILD)/images --programs $(BUILD)/stripped --files images/files $< >$@.tmp
	$(Q)mv $@.tmp $@

.PHONY: images
images: $(addprefix $(BUILD)/images/digests/,$(IMAGES)) ## build the images of the daemons into build/images
.SECONDARY: $(addprefix $(BUILD)/stripped/,$(IMAGES))
