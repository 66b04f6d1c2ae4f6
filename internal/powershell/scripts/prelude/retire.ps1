# A certificate that is not wanted now: what still names it, whether it is
# archived, and its removal with its key.

# Returns the certificate in the Personal store, archived or not, or null when it
# is not there.
function Find-PersonalCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [string] $Thumbprint)

    foreach ($certificate in Get-PersonalCertificate) {
        if ($certificate.Thumbprint -eq $Thumbprint) { return $certificate }
    }
    return $null
}

# Returns the addresses that http.sys serves with a certificate. The words of
# netsh's list are localized, its layout is not: the line above a hash ends with
# the address. The layout is inferred from published output of several versions
# of Windows.
function Find-TlsBinding {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint)

    $address = ''
    foreach ($line in Get-TlsBindingText) {
        if ($line -match "\b$Thumbprint\b") { $address }
        elseif ($line -match '(\S+)\s*$') { $address = $Matches[1] }
    }
}

# Returns what on this server names a certificate, in words.
function Find-CertificateUse {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [AllowEmptyString()] [string] $FriendlyName
    )

    if ($FriendlyName -ne '' -and $null -ne (Get-OfficeMachine)) {
        $farm = Get-OfficeWebAppsFarm
        if ($farm.S2SCertificateName -eq $FriendlyName) { 'S2SCertificateName' }
        if ($farm.CertificateName -eq $FriendlyName) { 'CertificateName' }
    }
    foreach ($address in Find-TlsBinding -Thumbprint $Thumbprint) { "http.sys $address" }
    if (Test-TypedThumbprint -Typed @(Get-ListenerThumbprint) -Thumbprint $Thumbprint) { 'WinRM listener' }
    if (Test-TypedThumbprint -Typed @(Get-WinRmThumbprint) -Thumbprint $Thumbprint) { 'WinRM service' }
    # What cannot be read here, Find-UnreadableUse returns.
    try { $desktop = @(Get-RemoteDesktopThumbprint) }
    catch { $desktop = @() }
    if (Test-TypedThumbprint -Typed $desktop -Thumbprint $Thumbprint) { 'Remote Desktop' }
}

# Reports whether one of the thumbprints, as they were entered, is that of the
# certificate. Pasted ones often contain spaces and invisible characters.
function Test-TypedThumbprint {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [AllowEmptyCollection()] [AllowEmptyString()] [string[]] $Typed,
        [Parameter(Mandatory = $true)] [string] $Thumbprint
    )

    foreach ($one in $Typed) {
        if (($one -replace '[^0-9A-Fa-f]', '') -eq $Thumbprint) { return $true }
    }
    return $false
}

# Returns, in words, what may name a certificate on this server and cannot be read.
function Find-UnreadableUse {
    [CmdletBinding()]
    param()

    try { $null = @(Get-RemoteDesktopThumbprint) }
    catch { "the certificate of Remote Desktop could not be read: $($_.Exception.Message)" }
    $store = Get-CentralStore
    if ($store -ne '') { "IIS's central certificate store is in use ($store), and its files are protected by passwords" }
}

# Stops when anything on this server names the certificate. Except is a use that
# the script is about to end.
function Assert-CertificateUnused {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [string] $Except = ''
    )

    $friendlyName = ''
    $certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
    if ($null -ne $certificate) { $friendlyName = [string] $certificate.FriendlyName }
    $uses = @(Find-CertificateUse -Thumbprint $Thumbprint -FriendlyName $friendlyName) -ne $Except
    if ($uses.Count -gt 0) {
        Stop-Script -Id 'InUse' -Message "certificate $Thumbprint is still named by: $($uses -join ', ')"
    }
}

# Archives a certificate of the Personal store or unarchives it, and reports
# whether that changed anything. One that is not there needs no change.
function Update-StoreArchived {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Thumbprint,
        [Parameter(Mandatory = $true)] [bool] $Archived
    )

    $certificate = Find-PersonalCertificate -Thumbprint $Thumbprint
    if ($null -eq $certificate -or $certificate.Archived -eq $Archived) { return $false }
    Set-StoreArchived -Thumbprint $Thumbprint -Archived $Archived
    if ((Find-PersonalCertificate -Thumbprint $Thumbprint).Archived -ne $Archived) {
        Stop-Script -Id 'SettingNotKept' -Message "certificate $Thumbprint is still in its old state after Archived was set to $Archived"
    }
    return $true
}

# Returns the file of a certificate's key, or null when the key no longer exists
# (NTE_BAD_KEYSET), as after a removal that was interrupted.
function Find-KeyFile {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)

    try { $file = (Get-KeyLocation -Certificate $Certificate).File }
    catch [System.Security.Cryptography.CryptographicException] {
        if ($_.Exception.GetBaseException().HResult -ne 0x80090016) { throw }
        return $null
    }
    if ($file -eq '') {
        Stop-Script -Id 'KeyFileNotFound' -Message "the key of certificate $($Certificate.Thumbprint) is in none of the folders of machine keys"
    }
    return $file
}

# Reports whether a certificate other than Except has its key in a file, as one that
# was renewed with the same key has. A key that cannot be opened counts as
# another key.
function Test-KeyFileInUse {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $File,
        [string] $Except = ''
    )

    foreach ($other in Get-PersonalCertificate) {
        if ($other.Thumbprint -eq $Except -or -not $other.HasPrivateKey) { continue }
        try { $same = (Get-KeyLocation -Certificate $other).File -eq $File }
        catch { $same = $false }
        if ($same) { return $true }
    }
    return $false
}

# Reports whether there is a key that an import has left which was cut off after Windows
# had written the key. It is found by the name that the PFX gives its container; a key
# that a certificate has is none.
function Test-OrphanedKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint)

    $file = Get-ContainerFile -Container "farmtrust-$Thumbprint"
    return $file -ne '' -and -not (Test-KeyFileInUse -File $file)
}

# Deletes such a key, and reports whether there was one.
function Remove-OrphanedKey {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [ValidatePattern('^[0-9A-F]{40}$')] [string] $Thumbprint)

    if (-not (Test-OrphanedKey -Thumbprint $Thumbprint)) { return $false }
    Remove-KeyContainer -Container "farmtrust-$Thumbprint"
    if (Test-OrphanedKey -Thumbprint $Thumbprint) {
        Stop-Script -Id 'SettingNotKept' -Message "key 'farmtrust-$Thumbprint', which no certificate has, is still there after it was deleted"
    }
    return $true
}

# Removes a certificate from Personal with its key. The key is removed first,
# because an orphaned key cannot be found again.
function Remove-PersonalCertificate {
    [CmdletBinding()]
    param([Parameter(Mandatory = $true)] [object] $Certificate)

    if ($Certificate.HasPrivateKey) {
        $file = Find-KeyFile -Certificate $Certificate
        if ($null -ne $file -and -not (Test-KeyFileInUse -File $file -Except $Certificate.Thumbprint)) {
            Remove-Key -Certificate $Certificate
        }
    }
    Remove-StoreCertificate -Store My -Thumbprint $Certificate.Thumbprint
}

# A certificate that a group policy distributes may reappear, or never disappear.
function Assert-StoreWithout {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [ValidateSet('My', 'Root', 'CA')] [string] $Store,
        [Parameter(Mandatory = $true)] [string[]] $Thumbprint
    )

    if ($Store -eq 'My') { $left = @(Get-PersonalCertificate) }
    else { $left = @(Get-StoreCertificate -Store $Store) }
    foreach ($certificate in $left) {
        if ($certificate.Thumbprint -in $Thumbprint) {
            Stop-Script -Id 'SettingNotKept' -Message "certificate $($certificate.Thumbprint) is still in store $Store after it was removed"
        }
    }
}
