// SPDX-License-Identifier: MIT
// The program's database, read and changed as another program could: what a machine with a wrong clock left there is written this way.
#pragma once

#include <string>

namespace popsync::test {

// Throws std::runtime_error with SQLite's words.
void change_state(const std::string& state_dir, const std::string& sql);
// The first column of the first row; empty for NULL and for no row.
std::string ask_state(const std::string& state_dir, const std::string& sql);

}  // namespace popsync::test
