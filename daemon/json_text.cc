// SPDX-License-Identifier: MIT
#include "json_text.h"

#include <iostream>
#include <sstream>
#include <utility>

#include "base/format.h"

namespace popsync {

Poco::JSON::Object::Ptr json_object() { return Poco::makeShared<Poco::JSON::Object>(Poco::JSON_PRESERVE_KEY_ORDER); }

Poco::JSON::Array::Ptr json_array() { return Poco::makeShared<Poco::JSON::Array>(); }

Poco::JSON::Object::Ptr json_answer() {
  auto answer = json_object();
  answer->set("version", POPSYNC_VERSION);
  return answer;
}

Poco::Dynamic::Var json_error(const std::optional<Error>& error) {
  if (!error) return {};
  auto out = json_object();
  out->set("code", std::string(name_of(error->code())));
  out->set("message", error->message());
  out->set("hint", error->hint());
  return out;
}

Poco::Dynamic::Var json_time(const std::optional<WallTime>& time) {
  if (!time) return {};
  return rfc3339_utc(*time);
}

void print_json(const Poco::JSON::Object::Ptr& answer) {
  // It is written octet by octet, and each would be a call of stdio's.
  std::ostringstream text;
  answer->stringify(text);
  std::cout << std::move(text).str() << '\n';
}

}  // namespace popsync
