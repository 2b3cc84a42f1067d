# make fuzz-names, fuzz-tar, fuzz-config: runs the target for FUZZ_SECONDS under the sanitizers, with libFuzzer
# where clang brings it, else with the driver of this folder.
FUZZ_SECONDS ?= 20
FUZZ_FLAGS := -Wno-format-truncation -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SOURCES_names := fuzz/names.c names/message.c names/config.c names/answer.c names/table.c
FUZZ_SOURCES_tar := fuzz/tar.c layer/tar-read.c layer/tar-pax.c layer/tar-sparse.c layer/tar-write.c
FUZZ_SOURCES_config := fuzz/config.c $(wildcard runtime/config*.c) runtime/mount-options.c runtime/log.c runtime/caps.c runtime/scheduler.c
HAS_LIBFUZZER = $(shell echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n){return !p+n>0?0:0;}' | \
	clang -fsanitize=fuzzer -x c -o /dev/null - 2>/dev/null && echo yes)

fuzz-names fuzz-tar fuzz-config: fuzz-%: $(wildcard lib/*.c fuzz/*.[ch] names/*.[ch] layer/*.[ch] runtime/*.[ch])
	@mkdir -p $(B)/fuzz
ifeq ($(HAS_LIBFUZZER),yes)
	clang $(CFLAGS_ALL) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $(B)/fuzz/$* $(FUZZ_SOURCES_$*) $(wildcard lib/*.c)
	cd $(B)/fuzz && mkdir -p corpus-$* && ./$* -max_total_time=$(FUZZ_SECONDS) corpus-$*
else
	$(CC) $(CFLAGS_ALL) $(FUZZ_FLAGS) -o $(B)/fuzz/$* fuzz/driver.c $(FUZZ_SOURCES_$*) $(wildcard lib/*.c)
	cd $(B)/fuzz && ./$* $(FUZZ_SECONDS)
endif

.PHONY: fuzz-names fuzz-tar fuzz-config
