// SPDX-License-Identifier: MIT
#include "sync/identity.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace popsync::sync {
namespace {

const std::string kHeader = "Message-ID: <1@x>\nSubject: s\n";

KnownPrints known(state::RowId row, const std::string& message) {
  const delivery::Prints prints = delivery::prints_of(message);
  return {.candidate = {.row = row, .has_prints = true, .free = true, .size_differs = false},
          .prints = {.wire_octets = 0,
                     .stored_size = prints.stored_size,
                     .sha256 = prints.sha256,
                     .fingerprint = prints.fingerprint,
                     .header_hash = prints.header_hash,
                     .has_message_id = prints.has_message_id}};
}

Identification identified(const std::string& message, const std::vector<KnownPrints>& rows) { return identify(delivery::prints_of(message), rows); }

TEST(Identity, NothingKnownIsAnotherMessage) {
  EXPECT_EQ(identified("x", {}).verdict, Verdict::other);
  EXPECT_FALSE(identified("x", {}).row.has_value());
}

TEST(Identity, EqualOctetsAreEqual) {
  const Identification found = identified(kHeader + "\nbody\n", {known(6, "other"), known(7, kHeader + "\nbody\n")});
  EXPECT_EQ(found.verdict, Verdict::equal);
  EXPECT_EQ(found.row->row, 7);
}

TEST(Identity, WhatReadersRewriteMakesNoDifference) {
  EXPECT_EQ(identified("Status: RO\n" + kHeader + "\nbody\n", {known(7, kHeader + "\nbody\n")}).verdict, Verdict::equal);
}

TEST(Identity, AnEqualHeaderWithAnotherBodyWasChangedOnTheWay) {
  const Identification found = identified(kHeader + "\n[virus removed]\n", {known(7, kHeader + "\nbody\n")});
  EXPECT_EQ(found.verdict, Verdict::changed);
  EXPECT_EQ(found.row->row, 7);
}

TEST(Identity, AnEqualFingerprintAnywhereWinsOverAnEqualHeader) {
  const Identification found = identified(kHeader + "\nbody\n", {known(6, kHeader + "\nchanged\n"), known(7, kHeader + "\nbody\n")});
  EXPECT_EQ(found.verdict, Verdict::equal);
  EXPECT_EQ(found.row->row, 7);
}

TEST(Identity, AHeaderWithoutMessageIdIdentifiesNothing) {
  EXPECT_EQ(identified("Subject: s\n\nnew\n", {known(7, "Subject: s\n\nold\n")}).verdict, Verdict::other);
  EXPECT_EQ(identified("\nnew\n", {known(7, "\nold\n")}).verdict, Verdict::other);
  EXPECT_EQ(identified("", {known(7, "x")}).verdict, Verdict::other);
}

TEST(Identity, AnotherIdentifyingFieldIsAnotherMessage) {
  EXPECT_EQ(identified("Message-ID: <1@x>\nSubject: t\n\nbody\n", {known(7, kHeader + "\nbody\n")}).verdict, Verdict::other);
}

TEST(Identity, ARowWithoutPrintsIsNoMessage) {
  const KnownPrints nothing{.candidate = {.row = 7, .has_prints = true, .free = true, .size_differs = false}, .prints = {}};
  EXPECT_EQ(identified("", {nothing}).verdict, Verdict::other);
  EXPECT_EQ(identified(kHeader, {nothing}).verdict, Verdict::other);
}

TEST(Identity, TheCandidateIsHandedBackAsItWas) {
  KnownPrints row = known(7, "x");
  row.candidate.free = false;
  row.candidate.size_differs = true;
  const Identification found = identified("x", {row});
  EXPECT_FALSE(found.row->free);
  EXPECT_TRUE(found.row->size_differs);
}

}  // namespace
}  // namespace popsync::sync
