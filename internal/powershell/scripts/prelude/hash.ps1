# The hash that identifies a version of a script file.

# Returns the SHA-256 of a script's text. Line ends, encoding and the signature at
# its end do not count, so that the hash is the same no matter who signed the script. A
# signature is a block of comments at the very end, of nothing but base64: whatever else
# follows its first line may be code. A carriage return alone ends a line for PowerShell,
# so it counts.
# Source: Microsoft, about_Signing, on the block that a signature adds.
function Get-ScriptHash {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Path)

    $text = [System.IO.File]::ReadAllText($Path).Replace("`r`n", "`n").TrimEnd()
    $signature = '\n# SIG # Begin signature block\n(?:# [A-Za-z0-9+/]+={0,2}\n)+# SIG # End signature block\z'
    $text = $text -creplace $signature, ''
    $bytes = [System.Text.Encoding]::UTF8.GetBytes($text.TrimEnd())
    # Not SHA256.Create(), which .NET Framework rejects under the FIPS policy.
    $hash = (New-Object System.Security.Cryptography.SHA256CryptoServiceProvider).ComputeHash($bytes)
    return [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
}
