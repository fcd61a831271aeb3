// SPDX-License-Identifier: MIT
// Which of the messages that an outage put in doubt are looked at, and in which order all that wait for a confirmation are. Pure.
#pragma once

#include "sync/fetch_plan.h"

namespace popsync::sync {

// Of listed rows that an outage put in doubt up to kSampleMax are confirmed each. Of more a sample is: it stays in `confirm`, the others leave it for
// `vouched` (but for those whose deletion is due). A sample is drawn once and kept over sessions: sample and vouched are told in `doubts`. Rows
// that come to light only later are not in its care; they are `put_off` until it is through.
void take_sample(FetchPlan& plan);

// What is in doubt may be mail that is not here: it comes before what is merely to be deleted. The oldest first.
void put_in_order(std::vector<Confirmation>& confirm);

}  // namespace popsync::sync
