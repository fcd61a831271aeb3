// SPDX-License-Identifier: MIT
#include "pop3/secret_mask.h"

#include <gtest/gtest.h>

#include <string>

namespace popsync::pop3 {
namespace {

SecretMask mask_of(std::string_view secret) {
  SecretMask mask;
  mask.hide(secret);
  return mask;
}

std::string shown_so_far(const SecretMask& mask, std::string_view text) { return mask.shown(text, SecretMask::End::open); }

TEST(SecretMask, EachOccurrenceIsReplaced) {
  const SecretMask mask = mask_of("open-sesame");
  EXPECT_EQ(mask.shown("open-sesame"), "***");
  EXPECT_EQ(mask.shown("no open-sesame, not open-sesame."), "no ***, not ***.");
  EXPECT_EQ(mask.shown("xopen-sesameopen-sesamex"), "x***x");
  EXPECT_EQ(mask.shown(std::string("\0joe\0open-sesame", 16)), std::string("\0joe\0***", 8));
}

TEST(SecretMask, OtherTextStaysAsItIs) {
  const SecretMask mask = mask_of("open-sesame");
  for (const std::string_view text : {"", "wrong password", "open-sesam", "Open-Sesame", "pen-sesame"}) {
    EXPECT_EQ(mask.masked(text), std::nullopt);
    EXPECT_EQ(mask.shown(text), text);
  }
  EXPECT_EQ(SecretMask().shown("open-sesame"), "open-sesame");
  EXPECT_EQ(mask_of("").masked("any text"), std::nullopt);
}

TEST(SecretMask, OverlappingOccurrencesLeaveNoRest) {
  EXPECT_EQ(mask_of("abab").shown("xababababx"), "x***x");
  SecretMask mask = mask_of("sesame");
  mask.hide("open-sesame");
  mask.hide("sesame-street");
  EXPECT_EQ(mask.shown("to open-sesame-street!"), "to ***!");
}

TEST(SecretMask, OfTextThatRepeatsAShortSecretNothingIsShown) {
  EXPECT_EQ(mask_of("word").shown("wrong password"), "wrong pass***");
  EXPECT_EQ(mask_of("wor").shown("wrong password"), "***");
  EXPECT_EQ(mask_of("o").shown("wrong password"), "***");
  EXPECT_EQ(mask_of("x").shown("wrong password"), "wrong password");
}

TEST(SecretMask, WhatMayBeTheBeginningOfASecretIsHiddenAtTheEndOfTextThatGoesOn) {
  SecretMask mask = mask_of("open-sesame");
  mask.hide("bye");
  EXPECT_EQ(shown_so_far(mask, "no user has open-ses"), "no user has ***");
  EXPECT_EQ(shown_so_far(mask, "open-sesame o"), "*** ***");
  EXPECT_EQ(shown_so_far(mask, "o"), "***");
  EXPECT_EQ(shown_so_far(mask, "no user"), "no user");
  EXPECT_EQ(shown_so_far(mask, "open-sesame"), "***");
  EXPECT_EQ(shown_so_far(mask, ""), "");
  EXPECT_EQ(shown_so_far(mask_of("abab"), "xabab"), "x***");
  EXPECT_EQ(shown_so_far(mask, "good bye op"), "***");
}

TEST(SecretMask, KnowsWhatItHides) {
  const SecretMask mask = mask_of("open-sesame");
  EXPECT_TRUE(mask.hides("open-sesame"));
  EXPECT_FALSE(mask.hides("open"));
  EXPECT_FALSE(mask.hides(""));
}

}  // namespace
}  // namespace popsync::pop3
