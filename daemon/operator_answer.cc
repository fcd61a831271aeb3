// SPDX-License-Identifier: MIT
#include "operator_answer.h"

#include <unistd.h>

#include <iostream>

namespace popsync {

bool may_ask() { return ::isatty(STDIN_FILENO) == 1; }

bool agrees(const std::string& question) {
  std::cerr << question << " [y/N] ";
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

}  // namespace popsync
