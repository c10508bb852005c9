# vimach: one chapter, one program. `make help` lists what there is to make.

CXX      ?= g++
MARCH    ?= native
CXXFLAGS ?= -O3 -march=$(MARCH)
# -Wno-restrict: g++ 12 wrongly sees an overlap in "text" + std::string (its bug 105651); clang has
# no such warning.
WARNINGS  = -Wall -Wextra $(if $(findstring clang,$(CXX)),,-Wno-restrict) $(if $(CI),-Werror)
# sqrt needs no errno and a comparison no trap; without these, loops with them become SIMD code on
# every processor (with the trap, exp stays scalar on all that have no AVX-512). No value depends on
# either.
COMPILE   = $(CXX) -std=c++20 $(CXXFLAGS) -fno-math-errno -fno-trapping-math $(WARNINGS) -pthread \
            -I. -Isrc $(BLAS_CFLAGS) -MMD -MP
BLAS_LIBS ?= -lopenblas -llapacke
LIBRARIES := -pthread $(BLAS_LIBS) -lutf8proc
PROCESSORS := $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
MAKEFLAGS += --jobs=$(if $(filter clean,$(MAKECMDGOALS)),1,$(or $(PROCESSORS),1))

SOURCES  := $(wildcard src/*/*.cpp)
CHAPTERS := $(sort $(patsubst chapters/%/chapter.cpp,%,$(wildcard chapters/*/chapter.cpp)))
NUMBERS  := $(foreach chapter,$(CHAPTERS),$(firstword $(subst _, ,$(chapter))))
TRAINER  := weights/nano/training.cpp weights/nano/texts.cpp
TESTS    := $(wildcard tests/*_test.cpp)
PARTS    := $(filter-out %/chapter.cpp,$(wildcard chapters/*/*.cpp))

# Builds of the same sources: float (the product), double (checks derivatives), two that watch
# memory and threads while they run, and one for clang's fuzzer.
objects    = $(patsubst %.cpp,build/$1/%.o,$2)
program_of = $(filter build/$1_%,$(addprefix build/,$(CHAPTERS)))
build/double/%:   FLAGS := -DVIMACH_DOUBLE
# Tests and src/show compute little; a third of their compile time is saved.
build/float/src/show/%.o:                              FLAGS := -O1
build/float/tests/%_test.o build/float/tests/main.o:   FLAGS := -O1
build/double/tests/%_test.o build/double/tests/main.o: FLAGS := -O1 -DVIMACH_DOUBLE
build/sanitize/%: FLAGS := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
                           -fsanitize=address,undefined
build/tsan/%:     FLAGS := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
build/fuzz/%:     CXX   := clang++
build/fuzz/%:     FLAGS := -O1 -g -fno-sanitize-recover=all \
                           -fsanitize=fuzzer-no-link,address,undefined

.PHONY: all run run-full test verify sanitize tsan check bench clean help train-nano nano-card \
        differential fuzz weights/gpt2-shape $(NUMBERS) $(addprefix verify-,$(NUMBERS))
.SECONDARY:
.SECONDEXPANSION:

all: $(addprefix build/,$(CHAPTERS))  ## build every chapter

help:  ## list the targets
	@sed -n 's/^\([a-z/0-9-]*\):.*## /  make \1:/p' Makefile | sed 's/:/                  /' | \
	    sed 's/^\(.\{26\}\) */\1/'
	@echo '  make 00, 01, ...        build and run one chapter; options in ARGS="..."'
	@echo '  make verify-00, ...     compare one chapter with its known output'
	@echo '  make V=1 ...            show whole commands'

# --- build --------------------------------------------------------------------------------------

# Each rule prints one short line, or with V=1 the whole command. -MMD keeps track of the headers.
say     = $(if $(V),,@echo "$1 $2" &&)
compile = $(call say,CXX,$<) mkdir -p $(@D) && $(COMPILE) $(FLAGS) -c $< -o $@
link    = $(call say,LD,$@) $(CXX) $(FLAGS) $^ $(LIBRARIES) -o $@
archive = $(call say,AR,$@) rm -f $@ && ar rcs $@ $^

define object_rule
build/$1/%.o: %.cpp | build/packages
	$$(compile)
endef
$(foreach build,float double sanitize tsan fuzz,$(eval $(call object_rule,$(build))))

define packages_missing
The compiler or a package is missing; the error above names it. Install what your system calls
  Debian, Ubuntu  build-essential libopenblas-dev liblapacke-dev libutf8proc-dev doctest-dev
  Fedora          make gcc-c++ openblas-devel utf8proc-devel doctest-devel
  Arch            base-devel blas-openblas utf8proc doctest
  Homebrew        openblas utf8proc doctest
and for all but the first see "Build" in README.md: BLAS_CFLAGS and BLAS_LIBS say where they lie.
endef
export packages_missing

build/packages: tests/packages.cpp
	@mkdir -p $(@D)
	@$(CXX) -std=c++20 $(BLAS_CFLAGS) $< $(LIBRARIES) -o $@ || \
	    { echo "$$packages_missing" >&2; exit 1; }

# Random numbers must not depend on fused multiply-add; see src/core/rng.h.
build/%/src/core/rng.o: override CXXFLAGS += -ffp-contract=off

# src makes two libraries: libmodel, which is GPT-2, and libvimach, which is the rest and model/layers;
# chapter 1 needs no more. The double build draws nothing, so it leaves src/show out.
MODEL := $(filter-out %/layers.cpp,$(wildcard src/model/*.cpp))
REST  := $(filter-out $(MODEL),$(SOURCES))
build/double/libvimach.a: $(patsubst %.cpp,build/double/%.o,$(filter-out src/show/%,$(REST)))
	$(archive)
build/%/libvimach.a: $(addprefix build/%/,$(REST:.cpp=.o))
	$(archive)
build/%/libmodel.a: $(addprefix build/%/,$(MODEL:.cpp=.o))
	$(archive)
libraries_of = $(if $(filter 01_%,$2),,build/$1/libmodel.a) build/$1/libvimach.a

# A chapter is all that lies in its folder, and the libraries.
sources_of = $(wildcard chapters/$1/*.cpp) $(other_$1)
other_train_nano := weights/nano/train.cpp $(TRAINER)
other_verify     := tests/verify.cpp
PROGRAMS         := $(CHAPTERS) train_nano verify
$(addprefix build/,$(PROGRAMS)): build/%: \
    $$(call objects,float,$$(call sources_of,$$*)) $$(call libraries_of,float,$$*)
	$(link)
$(addprefix build/sanitize/,$(CHAPTERS)): build/sanitize/%: \
    $$(call objects,sanitize,$$(call sources_of,$$*)) $$(call libraries_of,sanitize,$$*)
	$(link)
$(addprefix build/tsan/,$(CHAPTERS)): build/tsan/%: \
    $$(call objects,tsan,$$(call sources_of,$$*)) $$(call libraries_of,tsan,$$*)
	$(link)

build/random_model: build/float/weights/random_model.o $(call libraries_of,float)
	$(link)

build/bench: $(call objects,float,$(wildcard tests/bench*.cpp) $(TRAINER)) $(call libraries_of,float)
	$(link)

UNIT := tests/main.cpp tests/fuzz_targets.cpp $(PARTS) $(TRAINER) $(TESTS)
build/%/tests/unit: $(addprefix build/%/,$(UNIT:.cpp=.o)) $(call libraries_of,%)
	$(link)

# In double: the tests of numbers and derivatives, whose bounds are tighter there.
IN_DOUBLE   := backward ged generate gpt2 head math muon sae train
UNIT_DOUBLE := tests/main.cpp $(TRAINER) $(IN_DOUBLE:%=tests/%_test.cpp)
build/double/tests/unit: $(call objects,double,$(UNIT_DOUBLE)) $(call libraries_of,double)
	$(link)

-include $(shell find build -name '*.d' 2>/dev/null)

# --- run ----------------------------------------------------------------------------------------

$(NUMBERS): $$(call program_of,$$@)  # one chapter, with its own options
	$< $(ARGS)

run: all  ## build and run every chapter with --quick
	@set -e; for chapter in $(CHAPTERS); do \
	    echo "== $$chapter --quick"; build/$$chapter --quick; done

run-full: all  ## build and run every chapter at full size
	@set -e; for chapter in $(CHAPTERS); do echo "== $$chapter"; build/$$chapter; done

weights/gpt2-shape: weights/gpt2-shape/model.safetensors  ## write a random model of GPT-2 small's shape (498 MB)

weights/gpt2-shape/model.safetensors: | build/random_model
	build/random_model $(@D)

out/tiny/model.safetensors: | build/random_model
	build/random_model $(@D) --tiny
	cut -d' ' -f38-75 chapters/02_palinka_sae/data/passage.txt > $(@D)/text.txt

STEPS    ?= 9500
train-nano: build/train_nano  ## train the embedded model on the texts in TEXT=folder; STEPS, OUT
	build/train_nano --text '$(TEXT)' --steps $(STEPS) --out '$(or $(OUT),weights/trained)'

nano-card: build/train_nano  ## print the held-out loss of MODEL on TEXT=folder, and samples
	build/train_nano --text '$(TEXT)' --card --model '$(or $(MODEL),weights/nano)'

# --- test ---------------------------------------------------------------------------------------

test: all build/train_nano build/bench build/verify build/float/tests/unit build/double/tests/unit  ## run every test
	@tests/run.sh $(CHAPTERS)

verify: $(addprefix verify-,$(NUMBERS))  ## compare every chapter with its known output

$(addprefix verify-,$(NUMBERS)): verify-%: $$(call program_of,$$*) build/verify
	@rm -rf out/verify/$*
	@mkdir -p out/verify
	@$< --quick --lang en --out out/verify/$* > out/verify/$*.txt
	@build/verify tests/expected/$*.txt < out/verify/$*.txt

# A short run of every chapter under a sanitizer.
short_02 := --model out/tiny --text out/tiny/text.txt
short_03 := --layers 0-1 --tokens 1024 --epochs 4
short_04 := --starts 2 --steps 3
short_run = @set -e; mkdir -p out/$1; $(foreach number,$(NUMBERS),echo "== $(number)"; \
    build/$1/$(notdir $(call program_of,$(number))) --quick $(short_$(number)) \
        --out out/$1 > out/$1/$(number).txt;)

sanitize: all out/tiny/model.safetensors build/verify build/train_nano build/sanitize/tests/unit $(addprefix build/sanitize/,$(CHAPTERS))  ## run unit tests and chapters under ASan and UBSan
	build/sanitize/tests/unit
	$(call short_run,sanitize)

tsan: out/tiny/model.safetensors build/tsan/tests/unit $(addprefix build/tsan/,$(CHAPTERS))  ## run the tests of threads and the chapters under TSan
	build/tsan/tests/unit -tc='parallel*,matmul*,progress: steps*,forward: the same*,backward: gradients*'
	$(call short_run,tsan)

check: build/float/tests/unit  ## check house rules, headers, and the code with the tools installed
	@tests/check.sh

differential: build/float/tests/unit  ## compare 20,000 random strings with npm's tiktoken
	@mkdir -p out
	node tests/tokenizer_differential.mjs 20000 $(or $(SEED),1) > out/random.jsonl
	VIMACH_TOKENIZER_CASES=out/random.jsonl build/float/tests/unit -tc='tokenizer: random*'

# The fuzzer is clang's; SECONDS of each target, with a corpus kept in out/fuzz.
SECONDS  ?= 600
TARGETS  := json safetensors tokenizer html config sentences
FUZZED   := tests/fuzz_targets.cpp chapters/05_him_her_ged/sentences.cpp $(SOURCES)
$(addprefix build/fuzz/,$(TARGETS)): build/fuzz/%: tests/fuzz_main.cpp $(call objects,fuzz,$(FUZZED))
	$(call say,LD,$@) $(COMPILE) $(FLAGS) -fsanitize=fuzzer \
	    -DFUZZ_TARGET=fuzz_$* $(filter %.cpp %.o,$^) $(LIBRARIES) -o $@

fuzz: $(addprefix build/fuzz/,$(TARGETS))  ## fuzz each target for SECONDS (600) with clang's libFuzzer
	@set -e; for target in $(TARGETS); do mkdir -p out/fuzz/$$target; \
	    build/fuzz/$$target -max_total_time=$(SECONDS) -timeout=10 -print_final_stats=1 \
	        -artifact_prefix=out/fuzz/$$target- out/fuzz/$$target tests/fuzz/$$target \
	        2> out/fuzz/$$target.log || { tail -n 40 out/fuzz/$$target.log; exit 1; }; \
	    echo "$$target: no finding"; grep -E 'number_of_executed|DONE' out/fuzz/$$target.log; done

bench: all build/bench weights/gpt2-shape  ## compare speed and memory with peers; ONLY=name, TEXT=file
	@ONLY='$(ONLY)' TEXT='$(TEXT)' build/bench

clean:  ## remove everything built and written
	rm -rf build out
