// SPDX-License-Identifier: MIT
// What a process does before it ends by _exit(), wherever that is called: the product ends itself so when it must touch nothing more. In a program
// that links this, _exit() is ours; it hands on to the C library's.
#pragma once

#include <functional>

namespace popsync::test {

void set_last_words(std::function<void()> words);

}  // namespace popsync::test
