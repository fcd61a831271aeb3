// SPDX-License-Identifier: MIT
// What a plan needs to know beside listing and rows: the account's settings, what its sessions have learnt, and how old its rows are.
#pragma once

#include "net/pop3_client.h"
#include "sync/account_settings.h"
#include "sync/fetch_plan.h"

namespace popsync::sync {

// Gmail lists a part of the maildrop and hides what was retrieved: absence proves nothing there.
bool hides_messages(const AccountSettings& settings);

// leave_on_server as it is carried out. Where messages are hidden none can be recognised again, so none is deleted: keep.
LeavePolicy leave_policy(const AccountSettings& settings);

PlanPolicy policy_for(const AccountSettings& settings, const state::AccountRow& account, bool unique_ids, RowAges ages);

// Throws Error server_permanent if messages are to stay on a server that has no names for them.
void need_unique_ids(const net::MaildropListing& listing, const AccountSettings& settings);

}  // namespace popsync::sync
