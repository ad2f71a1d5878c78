# libmrimage, mb-image, the images of the daemons in build/images (OCI image layout)

$(eval $(call archive,libmrimage,$(call objects,images/lib/*.c)))
LIBMRIMAGE := $(BUILD)/lib/libmrimage.a
IMAGE_PROGRAMS :=

ifneq ($(wildcard images/tool/main.c),)
IMAGE_PROGRAMS += mb-image
$(eval $(call program,mb-image,$(call objects,images/tool/*.c),$(LIBMRIMAGE) $(LIBMRBASE),-ljansson -lz -lzstd -lcrypto,$(STATIC)))
endif

.PHONY: images
images:
