# vimach: one chapter, one program. `make help` lists what there is to make.

CXX      ?= g++
MARCH    ?= native
CXXFLAGS ?= -O3 -march=$(MARCH)
WARNINGS := -Wall -Wextra $(if $(CI),-Werror)
COMPILE   = $(CXX) -std=c++20 $(CXXFLAGS) $(WARNINGS) -pthread -I. -Isrc -MMD -MP
LIBRARIES := -pthread -lopenblas -llapacke -lutf8proc
MAKEFLAGS += --jobs=$(shell nproc)

SOURCES  := $(wildcard src/*/*.cpp)
CHAPTERS := $(sort $(filter-out %_controls,$(patsubst chapters/%.cpp,%,$(wildcard chapters/*.cpp))))
NUMBERS  := $(foreach chapter,$(CHAPTERS),$(firstword $(subst _, ,$(chapter))))
TESTS    := $(wildcard tests/*_test.cpp)
chapter_of = $(filter $1_%,$(CHAPTERS))

# Three builds of the same sources: float (the product), double (checks derivatives), sanitize.
objects = $(patsubst %.cpp,build/$1/%.o,$2)
build/float/%.o:    FLAGS :=
build/double/%.o:   FLAGS := -DVIMACH_DOUBLE
build/sanitize/%.o: FLAGS := -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=all \
                             -fsanitize=address,undefined

.PHONY: all run run-full test verify sanitize check bench clean help $(NUMBERS) \
        $(addprefix verify-,$(NUMBERS))
.SECONDARY:

all: $(addprefix build/,$(CHAPTERS))  ## build every chapter

help:  ## list the targets
	@sed -n 's/^\([a-z/0-9-]*\):.*## /  make \1:/p' Makefile | sed 's/:/                  /' | \
	    sed 's/^\(.\{26\}\) */\1/'
	@echo '  make 00, 01, ...        build and run one chapter; options in ARGS="..."'
	@echo '  make verify-00, ...     compare one chapter with its known output'

# --- build --------------------------------------------------------------------------------------

# Every build compiles every file by the same rule; -MMD keeps track of the headers.
define compile_rule
build/$1/%.o: %.cpp
	@mkdir -p $$(@D)
	$$(COMPILE) $$(FLAGS) -c $$< -o $$@
endef
$(foreach build,float double sanitize,$(eval $(call compile_rule,$(build))))

# Random numbers must not depend on fused multiply-add; see src/core/rng.h.
build/%/src/core/rng.o: CXXFLAGS += -ffp-contract=off

$(addprefix build/,$(CHAPTERS)): build/%: build/float/chapters/%.o $(call objects,float,$(SOURCES))
	$(CXX) $^ $(wildcard) $(LIBRARIES) -o $@

build/float/tests/unit build/double/tests/unit: build/%/tests/unit: \
        build/%/tests/main.o $(foreach t,$(SOURCES) $(TESTS),build/%/$(t:.cpp=.o))
	$(CXX) $^ $(LIBRARIES) -o $@

build/sanitize/tests/unit: build/sanitize/tests/main.o $(call objects,sanitize,$(SOURCES) $(TESTS))
	$(CXX) -fsanitize=address,undefined $^ $(LIBRARIES) -o $@

build/verify: build/float/tests/verify.o build/float/src/core/ensure.o build/float/src/core/files.o
	$(CXX) $^ -o $@

build/random_model: build/float/weights/random_model.o $(call objects,float,$(SOURCES))
	$(CXX) $^ $(LIBRARIES) -o $@

-include $(shell find build -name '*.d' 2>/dev/null)
