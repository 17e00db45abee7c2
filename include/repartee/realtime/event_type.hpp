#pragma once
#include <string_view>

namespace repartee::realtime {

/// The value of the top-level "type" member without parsing the document; empty when there is none or the text is malformed before it,
/// or when escapes hide it (in the value, or in the name of a member before it): then parse the event.
/// When it is there twice, the first one counts.
/// Fast when `type` is among the first members, as every known server writes it. The view points into `json`.
std::string_view peek_type(std::string_view json);

}  // namespace repartee::realtime
