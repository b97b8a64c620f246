// The table of all routes: those of v2 (contracts, Triton 1.1), and those of handlers (contracts,
// TorchServe 1.2).
#ifndef HEADRACE_FRONTEND_V2_ROUTES_H_
#define HEADRACE_FRONTEND_V2_ROUTES_H_

#include "frontend/router.h"

namespace headrace::frontend {

// Static.
const Router& V2Router();

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_V2_ROUTES_H_
