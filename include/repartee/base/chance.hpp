#pragma once

namespace repartee {

/// In [0,1). Spreads what many would do at the same moment; nothing may depend on its being unguessable. Each thread draws from a generator of its own.
double chance();

}  // namespace repartee
