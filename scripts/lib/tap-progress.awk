# Reads TAP and prints one line per test file, and whatever failed with its details.
/^(not )?ok / { print; fflush(); next }
/^ +not ok / { print; printing = 1; fflush(); next }
printing && /^ +(ok|#) / { printing = 0 }
printing { print; if ($0 ~ /^ +\.\.\.$/) printing = 0; fflush(); next }
/^Bail out!/ || /^[^ #0-9T-]/ { print; fflush() }
