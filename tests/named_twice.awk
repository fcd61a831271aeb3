# SPDX-License-Identifier: MIT
# Prints each of the given files that names something outside of functions as a file before it does: the two cannot be compiled as one.
function take(name) {
  if (name in taken && taken[name] != FILENAME && !(FILENAME in told)) {
    told[FILENAME]
    print FILENAME
  }
  taken[name] = FILENAME
}
/^(struct|class|using [A-Z]|using [a-z:]+::[A-Z])/ {
  name = $2
  sub(/[^A-Za-z0-9_:].*/, "", name)
  qualified = name
  sub(/.*::/, "", name)
  # `using testing::Pair` may stand in both, but not beside another Pair.
  if (name == qualified) take(name)
  else if (name in taken && taken[name] != FILENAME && !(name in foreign)) take(name)
  else { foreign[name]; taken[name] = FILENAME }
}
/^(const|constexpr|inline|static) / && match($0, /[ *&]k[A-Z][A-Za-z0-9]*[][ {=]/) { take(substr($0, RSTART + 1, RLENGTH - 2)) }
/^(namespace) [A-Za-z]+ =/ { next }
/^[A-Za-z].*[ *&>][a-z][a-z0-9_]*\(.*\{/ && !/^(struct|class|namespace|using)/ && match($0, /[ *&>][a-z][a-z0-9_]*\(/) { take(substr($0, RSTART + 1, RLENGTH - 2)) }
