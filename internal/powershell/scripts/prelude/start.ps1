# The start of an office server with the certificate that its own settings name.

# Returns those of the certificates whose friendly name this machine's copy of the
# farm settings has as the text of an element or an attribute.
function Find-SettingsCertificate {
    [CmdletBinding()]
    param([object[]] $Certificates)

    $text = [string] (Read-FileText -Path (Get-SettingsPath))
    foreach ($certificate in $Certificates) {
        $name = ([string] $certificate.FriendlyName).Replace('&', '&amp;').Replace('<', '&lt;').Replace('>', '&gt;')
        foreach ($spelling in ">$name<", ('"' + $name.Replace('"', '&quot;') + '"')) {
            if ($name -ne '' -and $text.IndexOf($spelling, [System.StringComparison]::OrdinalIgnoreCase) -ge 0) {
                $certificate
                break
            }
        }
    }
}

# Makes one certificate the only one of its subject, among those given, that programs
# find. One that is not there needs no change.
function Select-Certificate {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [object[]] $Certificates
    )

    $selected = Find-PersonalCertificate -Thumbprint $Thumbprint
    if ($null -eq $selected) { return }
    $null = Update-StoreArchived -Thumbprint $Thumbprint -Archived $false
    foreach ($given in $Certificates) {
        if ($given.Thumbprint -eq $Thumbprint) { continue }
        $other = Find-PersonalCertificate -Thumbprint $given.Thumbprint
        if ($null -ne $other -and $other.Subject -eq $selected.Subject) {
            $null = Update-StoreArchived -Thumbprint $given.Thumbprint -Archived $true
        }
    }
}
