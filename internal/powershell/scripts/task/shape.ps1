# What a request may hold; everything else is refused before anything runs.
#
# What has to be exact is matched by a pattern or by Equals: -ceq and -ccontains
# pass over characters that nobody sees, such as a soft hyphen.
# Source: Microsoft, String.Compare, on ignorable characters.

# The account of the task is no administrator, nor need it be one.
function Assert-Elevated {
    [CmdletBinding()]
    param()
}

# The registered names of the two issuers of the procedure.
$FarmTrustIssuers = '67e3df25-268a-4324-a550-0de1c7f97287@bd2372e4-0a11-495c-9541-8377c6def195',
    '67e3df25-268a-4324-a550-0de1c7f97287@ffab2d74-c6ae-4375-819a-8555d49b699a'

# The parameters of each verb, and the fields of what they are made of, with
# the kind of each. A kind with a star is a list of such values.
$FarmTrustShapes = @{
    'Get-SharePointFarm' = @{ Sites = 'Site*'; RegisteredNames = 'Issuer*'; Names = 'Name*' }
    'Set-TrustedIssuer' = @{ Name = 'Name'; RegisteredName = 'Issuer'; Certificate = 'Certificate'; Sites = 'Site*' }
    'Add-RootAuthority' = @{ Authorities = 'Authority*' }
    'Remove-RootAuthority' = @{ Thumbprints = 'Thumbprint*' }
    'Restore-TrustedIssuer' = @{
        RegisteredName = 'Issuer'; Ours = 'Thumbprint'; Previous = 'Previous'; Description = 'Description'; Permissions = 'Permission*'
    }
    'Permission' = @{ Site = 'Site'; Right = 'Right'; AppOnly = 'Switch' }
    'Authority' = @{ Name = 'Name'; Certificate = 'Certificate' }
}

# Whether text is base64 of one certificate without a key.
function Test-EncodedCertificate {
    [CmdletBinding()]
    param([string] $Text)

    if ($Text.Length -gt 65536) { return $false }
    try { (New-PublicCertificate -Der ([Convert]::FromBase64String($Text))).Dispose() }
    catch { return $false }
    return $true
}

function Test-Value {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Kind,
        [object] $Value
    )

    if ($FarmTrustShapes.ContainsKey($Kind)) {
        Assert-Shape -Name $Kind -Value $Value
        return $true
    }
    if ($Kind -eq 'Switch') { return $Value -is [bool] }
    if ($Value -isnot [string]) { return $false }
    # \z, since $ also matches before a last line feed.
    if ($Kind -eq 'Issuer') { return $Value -cmatch "\A($($FarmTrustIssuers -join '|'))\z" }
    if ($Kind -eq 'Name') { return $Value -cmatch '\A[^\x00-\x1f\x7f]{1,256}\z' }
    if ($Kind -eq 'Site') { return $Value -cmatch '\Ahttps?://[^\x00-\x20\x7f"<>\\]{1,2000}\z' }
    if ($Kind -eq 'Thumbprint') { return $Value -cmatch '\A[0-9A-F]{40}\z' }
    if ($Kind -eq 'Right') { return $Value -cmatch '\A(Read|Write|Manage|FullControl)?\z' }
    if ($Kind -eq 'Description') { return $Value -cmatch '\A[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]{0,4096}\z' }
    # There was no issuer before.
    if ($Kind -eq 'Previous' -and $Value.Length -eq 0) { return $true }
    if ($Kind -eq 'Previous') { return Test-EncodedCertificate -Text $Value }
    if ($Kind -eq 'Certificate') { return Test-EncodedCertificate -Text $Value }
    return $false
}

# Refuses a value that is not an object with fields of this shape alone. Null
# stands for a field that is left out.
function Assert-Shape {
    [CmdletBinding()]
    param(
        [Parameter(Mandatory = $true)] [string] $Name,
        [object] $Value
    )

    if ($Value -isnot [System.Management.Automation.PSCustomObject]) {
        Stop-Script -Id 'TaskRefused' -Message "$Name is not an object"
    }
    $shape = $FarmTrustShapes[$Name]
    foreach ($property in $Value.PSObject.Properties) {
        $field = $property.Name
        if (-not $shape.ContainsKey($field)) { Stop-Script -Id 'TaskRefused' -Message "$Name has no field '$field'" }
        if ($null -eq $property.Value) { continue }
        $kind = [string] $shape[$field]
        $values = @(, $property.Value)
        if ($kind.EndsWith('*')) {
            $kind = $kind.TrimEnd('*')
            if ($property.Value -isnot [System.Collections.IList] -or $property.Value.Count -gt 1000) {
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name is not a list of at most 1000 values"
            }
            $values = $property.Value
        }
        foreach ($one in $values) {
            if (-not (Test-Value -Kind $kind -Value $one)) {
                Stop-Script -Id 'TaskRefused' -Message "$field of $Name holds what is no $($kind.ToLowerInvariant())"
            }
        }
    }
}
