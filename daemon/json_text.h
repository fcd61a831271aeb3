// SPDX-License-Identifier: MIT
// What --json prints. Keys are only ever added.
#pragma once

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace popsync {

// {"version": ...} with its keys in the order they are set.
Poco::JSON::Object::Ptr json_answer();
Poco::JSON::Object::Ptr json_object();
Poco::JSON::Array::Ptr json_array();
// {"code","message","hint"} or null.
Poco::Dynamic::Var json_error(const std::optional<Error>& error);
// RFC 3339 or null.
Poco::Dynamic::Var json_time(const std::optional<WallTime>& time);
// One object and a line end on standard output.
void print_json(const Poco::JSON::Object::Ptr& answer);

}  // namespace popsync
