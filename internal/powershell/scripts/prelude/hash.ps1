# The hash that identifies a version of a script file.

# Returns the SHA-256 of a script's text. Line ends, encoding and the signature at
# its end do not count, so that the hash is the same no matter who signed the script.
# Source: Microsoft, about_Signing, on the block that a signature adds.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $text = [System.IO.File]::ReadAllText($Path).Replace("`r", '')
    $end = $text.IndexOf("`n# SIG # Begin signature block", [System.StringComparison]::Ordinal)
    if ($end -ge 0) { $text = $text.Substring(0, $end) }
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text.TrimEnd())
    # Not SHA256.Create(), which .NET Framework rejects under the FIPS policy.
    $hash = (New-Object System.Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($bytes)
    return [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}
